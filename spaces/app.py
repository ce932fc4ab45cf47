"""A Hugging Face Space: the app of facegen_nb on the model in the package. `python spaces/app.py` runs it here."""

from facegen_nb.report import build_app, open_studio

page = build_app(open_studio())

if __name__ == '__main__':
    page.launch()
