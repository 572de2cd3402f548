from .page import write_report as write_report
from .png_figures import draw_figures as draw_figures
from .table import figures_table as figures_table
