from .page import serve_page as serve_page
from .picture_forecasts import predict_folder as predict_folder, show_pictures as show_pictures
from .picture_runs import (
    begin_pictures as begin_pictures,
    judge_pictures as judge_pictures,
    keep_features as keep_features,
    load_folders as load_folders,
    load_weights as load_weights,
    resume_pictures as resume_pictures,
    teach_pictures as teach_pictures,
    tell_organized as tell_organized,
    trained_model as trained_model,
)
from .picture_scores import PictureScores as PictureScores, score_pictures as score_pictures, wilson_interval as wilson_interval
from .picture_task import PictureTask as PictureTask, read_picture_task as read_picture_task
