from .activation_maps import feature_maps as feature_maps, grad_cam as grad_cam
from .bottleneck import vgg16_features as vgg16_features
from .chart_drawing import ChartStyle as ChartStyle, draw_charts as draw_charts
from .chart_pictures import ChartPictures as ChartPictures
from .decoding import DamagedPictureError as DamagedPictureError, decode_picture as decode_picture, picture_of as picture_of
from .fitted_pictures import FittedPictures as FittedPictures
from .folder_listing import (
    PictureListing as PictureListing,
    list_folder as list_folder,
    listed as listed,
    natural_key as natural_key,
    shown as shown,
)
from .folder_pictures import CACHE as CACHE, FolderPictures as FolderPictures, prepare_folder as prepare_folder
from .folder_settings import FolderSettings as FolderSettings
from .networks import build_network as build_network
from .organizing import Organized as Organized, organize_folder as organize_folder
from .picture_epochs import PictureEpoch as PictureEpoch
from .pictures import PictureData as PictureData, PictureShape as PictureShape, PicturesInMemory as PicturesInMemory
from .settings import NAMES as NAMES, PictureModelSettings as PictureModelSettings, PictureSettings as PictureSettings
from .training import fit_pictures as fit_pictures
from .weight_files import WHERE as WHERE, PretrainedWeights as PretrainedWeights, load_vgg16_weights as load_vgg16_weights
