"""Make the site's social card and favicon from rendered people.

`python tools/card.py` writes nbs/card.png and nbs/favicon.png.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facegen_nb.data.synthetic import rendered_faces

HERE = Path(__file__).resolve().parent.parent / "nbs"
TEAL, WHITE = (31, 111, 120), (255, 255, 255)


def font(size: int) -> ImageFont.FreeTypeFont:
    "Pillow's own font, so that the card is the same on every machine."
    return ImageFont.load_default(size)


def numbers(width: int, height: int, seed: int) -> Image.Image:
    "An embedding as it looks to a person: bars of some numbers."
    im = Image.new("RGB", (width, height), TEAL)
    draw, values = ImageDraw.Draw(im), np.random.default_rng(seed).normal(size=64)
    for k, v in enumerate(values):
        x, top = k * width / 64, height / 2 - v * height / 6
        draw.rectangle((x + 1, min(top, height / 2), x + width / 64 - 1, max(top, height / 2)), fill=WHITE)
    return im


def main() -> None:
    "The card (1200x630, as Open Graph wants it) and the icon."
    card = Image.new("RGB", (1200, 630), TEAL)
    draw = ImageDraw.Draw(card)
    draw.text((60, 48), "facegen_nb", font=font(84), fill=WHITE)
    draw.text((60, 158), "How much of a face can be rebuilt from its recognition embedding?", font=font(34), fill=WHITE)
    faces = rendered_faces(5, per_person=1, seed=21, size=200)[0]
    for k, face in enumerate(faces):
        card.paste(Image.fromarray(face), (60 + k * 220, 240))
    card.paste(numbers(1080, 120, 0), (60, 475))
    card.save(HERE / "card.png", optimize=True)
    Image.fromarray(rendered_faces(1, per_person=1, seed=21, size=256)[0][0]).resize((64, 64), Image.LANCZOS).save(
        HERE / "favicon.png", optimize=True
    )


if __name__ == "__main__":
    main()
