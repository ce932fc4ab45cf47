"""Make the site's social card and favicon with the model of the package.

`python tools/card.py` writes nbs/card.png and nbs/favicon.png, in less than a minute. Run it again after the model of
rendered people in the package has changed. The people are rendered; the model was not trained on them.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from facegen_nb.core import sheet
from facegen_nb.data.synthetic import rendered_faces
from facegen_nb.encoders.embeddings import embed_images
from facegen_nb.encoders.zoo import load_encoder
from facegen_nb.models.io import load_generator

HERE = Path(__file__).resolve().parent.parent / "nbs"
TEAL, WHITE, PALE = (31, 111, 120), (255, 255, 255), (190, 222, 226)
PEOPLE, SIDE, GAP, LEFT = 8, 128, 8, 60
SEED = 2033  # of the people
QUESTION = "How much of a face can be rebuilt from its recognition embedding?"


def font(size: int) -> ImageFont.FreeTypeFont:
    "Pillow's own font, so that the card is the same on every machine."
    return ImageFont.load_default(size)


def faces_of_embeddings() -> "tuple[np.ndarray, np.ndarray, list[Image.Image]]":
    "Images of new people (n,128,128,3), their embeddings (n,E), and the faces generated from these."
    warnings.filterwarnings("ignore", message="Nothing is known of what made these embeddings")
    generator = load_generator("rendered")
    encoder = load_encoder(generator.encoder, device="cpu")
    images = rendered_faces(PEOPLE, per_person=1, seed=SEED)[0]
    embeddings = embed_images(encoder, images)
    faces = generator.generate(torch.from_numpy(embeddings), seed=0)
    return images, embeddings, [sheet(face[None]) for face in faces]


def bars(values: np.ndarray, width: int, height: int) -> Image.Image:
    "Numbers as bars around a middle line."
    im = Image.new("RGB", (width, height), TEAL)
    draw, step, scale = ImageDraw.Draw(im), width / len(values), height / 2 / np.abs(values).max()
    for k, value in enumerate(values):
        ends = sorted((height / 2, height / 2 - value * scale))
        draw.rectangle((k * step, ends[0], (k + 0.7) * step, ends[1]), fill=PALE)
    return im


def main() -> None:
    "The card (1200x630, as Open Graph wants it) and the icon."
    os.environ.setdefault("FACEGEN_PROGRESS", "0")
    images, embeddings, faces = faces_of_embeddings()
    card = Image.new("RGB", (1200, 630), TEAL)
    draw = ImageDraw.Draw(card)
    draw.text((LEFT, 34), "facegen_nb", font=font(76), fill=WHITE)
    draw.text(
        (LEFT, 136), "How much of a face can be rebuilt from its recognition embedding?", font=font(34), fill=WHITE
    )
    rows = {204: "image", 404: "face generated from the embedding alone"}
    for k in range(PEOPLE):
        x = LEFT + k * (SIDE + GAP)
        card.paste(Image.fromarray(images[k]).resize((SIDE, SIDE)), (x, 226))
        card.paste(bars(embeddings[k, :24], SIDE, 36), (x, 362))
        card.paste(faces[k].resize((SIDE, SIDE)), (x, 426))
    for y, text in rows.items():
        draw.text((LEFT, y), text, font=font(17), fill=PALE)
    draw.text((LEFT, 572), "All people are rendered.", font=font(22), fill=PALE)
    card.save(HERE / "card.png", optimize=True)
    faces[0].resize((64, 64), Image.LANCZOS).save(HERE / "favicon.png", optimize=True)


if __name__ == "__main__":
    main()
