#| hide
#| eval: false
# Colab and Kaggle: install facegen_nb beside the runtime's own torch. Where it is installed, this cell does nothing.
import glob
import importlib.metadata as installed
import importlib.util
import pathlib
import subprocess
import sys

if not importlib.util.find_spec('facegen_nb'):
    keep = pathlib.Path('keep.txt')
    keep.write_text(
        '\n'.join(
            f'{d.name}=={d.version}' for d in installed.distributions() if d.name in ('torch', 'torchvision', 'numpy')
        )
    )
    wheel = glob.glob(
        '/kaggle/input/**/facegen_nb-*.whl', recursive=True
    )  # Kaggle without internet: a data set with the wheel and those it needs
    what = (
        ['--no-index', '--find-links', str(pathlib.Path(wheel[0]).parent), 'facegen_nb']
        if wheel
        else ['git+https://github.com/facegen-nb/facegen_nb']
    )
    # fastcore is for the tests of the pages; a version that the runtime has is kept, since its fastai needs it
    subprocess.run([sys.executable, '-m', 'pip', 'install', '-q', '-c', str(keep), *what, 'fastcore>=1.12'], check=True)
