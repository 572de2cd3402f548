"""Every kind of file becomes the same shape of bytes, or one line that says why not."""

import io
import zlib

import numpy as np
import pytest
from picture_folders import picture
from PIL import Image

from features.images.decoding import FORMATS, DamagedPictureError, decode_picture
from features.images.folder_settings import FolderSettings

SETTINGS = FolderSettings(height=6, width=8)
EXACT = FolderSettings(height=12, width=12)
PIXELS = picture(1)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def as_rows(pixels: np.ndarray) -> np.ndarray:
    """(C, H, W) -> (H, W, C)"""
    return pixels.transpose(1, 2, 0)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("colors", ["rgb", "grey"])
def test_every_format_gives_bytes_of_one_shape(kind, colors):
    got = decode_picture(encoded(Image.fromarray(PIXELS), kind), SETTINGS.model_copy(update={"colors": colors}))
    assert got.shape == (3 if colors == "rgb" else 1, 6, 8)
    assert got.dtype == np.uint8
    assert got.flags.c_contiguous


def test_a_picture_of_the_right_size_keeps_its_pixels():
    assert (as_rows(decode_picture(encoded(Image.fromarray(PIXELS)), EXACT)) == PIXELS).all()


def test_grey_becomes_three_equal_channels():
    got = decode_picture(encoded(Image.fromarray(PIXELS[:, :, 0])), EXACT)
    assert (got == PIXELS[None, :, :, 0]).all()


@pytest.mark.parametrize(("background", "seen"), [("white", 255), ("black", 0)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_show_the_background(mode, background, seen):
    image = Image.new("RGBA", (12, 12), (200, 200, 200, 255))
    image.paste((10, 20, 30, 0), (0, 0, 6, 12))  # the left half cannot be seen, whatever its color
    settings = EXACT.model_copy(update={"background": background})
    content = encoded(image.convert(mode) if mode != "P" else image.convert("P"))
    got = decode_picture(content, settings)
    assert (got[:, :, :6] == seen).all()
    assert (abs(got[:, :, 6:].astype(int) - 200) <= 4).all()


def test_half_transparent_pixels_are_mixed():
    got = decode_picture(encoded(Image.new("RGBA", (12, 12), (0, 0, 0, 128))), EXACT)
    assert (abs(got.astype(int) - 127) <= 1).all()


def test_a_palette_and_a_color_that_stands_for_transparent():
    image = Image.fromarray(PIXELS).quantize(16)
    assert abs(as_rows(decode_picture(encoded(image), EXACT)).astype(int) - PIXELS).mean() < 40
    plain = Image.new("RGB", (12, 12), (1, 2, 3))
    assert (decode_picture(encoded(plain, transparency=(1, 2, 3)), EXACT) == 255).all()


def test_16_bits_are_rounded_to_8():
    values = np.array([[0, 128, 129, 257, 32_896, 65_535]], np.uint16).repeat(6, 0)
    got = decode_picture(encoded(Image.fromarray(values)), FolderSettings(height=6, width=6))
    assert got[0, 0].tolist() == [0, 0, 1, 1, 128, 255]


def test_cmyk_becomes_rgb():
    got = decode_picture(encoded(Image.new("CMYK", (12, 12), (0, 255, 255, 0)), "JPEG"), EXACT)  # red
    assert got[0].min() > 240
    assert got[1:].max() < 20


@pytest.mark.parametrize("turn", range(1, 9))
def test_the_rotation_of_a_camera_is_undone(turn):
    upright = Image.new("RGB", (16, 8), "black")
    upright.paste("white", (0, 0, 4, 8))  # its left quarter is white
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[turn]  # numbers of Image.Transpose
    held = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = turn
    for kind in ("JPEG", "PNG"):
        got = decode_picture(encoded(held, kind, exif=exif), FolderSettings(height=8, width=16))
        assert got[:, :, :3].min() > 200, (kind, turn)
        assert got[:, :, 6:].max() < 60, (kind, turn)


def test_the_first_frame_of_several_counts():
    frames = [Image.new("RGB", (12, 12), color) for color in ("red", "blue")]
    got = decode_picture(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), EXACT)
    assert (got[0].min(), got[2].max()) == (255, 0)


def test_a_large_jpeg_is_what_it_is_without_the_short_way():
    """libjpeg unpacks it at a part of its size; what is seen is the same."""
    rows, columns = np.mgrid[:1_600, :1_200]
    image = Image.fromarray(np.stack([rows % 256, columns % 256, (rows + columns) // 11], 2).astype(np.uint8))
    settings = FolderSettings(height=40, width=30)
    quick = decode_picture(encoded(image, "JPEG", quality=95), settings).astype(int)
    slow = decode_picture(encoded(image, "PNG"), settings).astype(int)
    assert abs(quick - slow).mean() < 4


def test_crop_keeps_the_shape_of_things():
    image = Image.new("RGB", (24, 12), "black")
    image.paste("white", (6, 0, 18, 12))
    assert decode_picture(encoded(image), EXACT.model_copy(update={"fit": "crop"})).min() == 255
    assert decode_picture(encoded(image), EXACT).min() == 0


def bomb() -> bytes:
    """A PNG of 100,000 x 100,000 pixels in a few bytes."""
    header = b"IHDR" + (100_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    chunk = (13).to_bytes(4, "big") + header + zlib.crc32(header).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunk + encoded(Image.new("RGB", (4, 4)))[33:]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"no picture at all", "it is none of JPEG"),
        (encoded(Image.fromarray(picture(2, side=200)), "JPEG")[:3_000], "truncated"),
        (encoded(Image.fromarray(PIXELS))[:200], "truncated"),
        (encoded(Image.fromarray(PIXELS))[:60] + b"\0" * 100 + encoded(Image.fromarray(PIXELS))[160:], ""),
        (bomb(), "pixels"),
        (encoded(Image.fromarray(np.ones((9, 9), np.float32)), "TIFF"), "fractions"),
        (encoded(Image.fromarray(np.full((9, 9), 70_000, np.int32)), "TIFF"), "16 bits end at"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is none of JPEG"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(content, why):
    with pytest.raises(DamagedPictureError) as caught:
        decode_picture(content, SETTINGS)
    assert why in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_the_limit_of_pixels_is_a_setting():
    with pytest.raises(DamagedPictureError, match=r"12 x 12 pixels, but `max_pixels` is 143"):
        decode_picture(encoded(Image.fromarray(PIXELS)), EXACT.model_copy(update={"max_pixels": 143}))
