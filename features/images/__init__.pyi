from .activation_maps import feature_maps as feature_maps, grad_cam as grad_cam
from .bottleneck import vgg16_features as vgg16_features
from .chart_drawing import ChartStyle as ChartStyle, draw_charts as draw_charts
from .chart_pictures import ChartPictures as ChartPictures
from .fitted_pictures import FittedPictures as FittedPictures
from .networks import build_network as build_network
from .picture_epochs import PictureEpoch as PictureEpoch
from .pictures import PictureData as PictureData, PictureShape as PictureShape, PicturesInMemory as PicturesInMemory
from .settings import NAMES as NAMES, PictureModelSettings as PictureModelSettings, PictureSettings as PictureSettings
from .training import fit_pictures as fit_pictures
from .weight_files import PretrainedWeights as PretrainedWeights, load_vgg16_weights as load_vgg16_weights
