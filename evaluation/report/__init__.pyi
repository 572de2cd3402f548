from .files import folder_of_coin as folder_of_coin, write_files as write_files, write_tables as write_tables
from .page import write_report as write_report
from .png_figures import draw_figures as draw_figures
from .table import coins_table as coins_table, figures_table as figures_table
