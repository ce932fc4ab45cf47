"""Compare a device with the CPU: `python tools/device_check.py --device cuda`. To be run first on any new machine.

Outputs and gradients of every network, loss and encoder, small inputs, against the CPU in float64: in both orders of
memory (channels_last and contiguous) and in every number type that the device has. One line each, then
`N passed, N failed`; the exit status is 1 if any failed. `--device cpu` compares the CPU with itself (in float32).
`--inject gradient output copy` puts a fault of each of these kinds into the device's side, which must then be found.
Random weights are enough; weights that are found (FACEGEN_WEIGHTS) add LPIPS and the published encoders.
"""

import argparse
import contextlib
import copy
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from unittest import mock

import torch
from torch import Tensor, nn

from facegen_nb.core import FacegenError
from facegen_nb.device import autocast, full_precision, layout, pick_device

BATCH = 4
KINDS = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Largest errors of outputs, of all gradients together and of the worst single gradient, relative to the right value.
# Two to ten times what a CPU shows: a rounding may turn one activation on or off, which a bias of few numbers feels;
# batch normalisation over four faces magnifies what half precision rounds. A gradient that is wrong is off by far more.
LIMITS = {"fp32": (2e-4, 0.05, 0.2), "tf32": (1e-2, 0.2, 0.5), "bf16": (0.06, 0.4, 1.0), "fp16": (1e-2, 0.2, 0.5)}
FORMATS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
MAIN = (
    "generator",
    "flow",
    "pca-gan",
    "arcface-cgan-repaired",
    "consistency-cgan-repaired",
    "selfattn-cgan-as-built",
    "selfattn-cgan-predecessor",
    "tinyvit-gan-repaired",
    "dino-diffusion-scripts-repaired",
    "dino-diffusion-notebook-repaired",
)


class Call(nn.Module):
    "A function as a module, with the networks that it uses."

    def __init__(self, function: "Callable[..., Tensor | list[Tensor]]", *networks: nn.Module):
        super().__init__()
        self.function, self.networks = function, nn.ModuleList(networks)

    def forward(self, *inputs: Tensor) -> "Tensor | list[Tensor]":
        return self.function(*self.networks, *inputs)


@dataclass
class Case:
    "Something to be compared: a network or a function, and what it is given."

    net: nn.Module
    inputs: "tuple[Tensor, ...]"
    backward: bool = True
    half: bool = True  # whether training runs it in half precision
    double: bool = True  # whether it can be computed in float64


@dataclass
class Result:
    "What a case gave: outputs, and gradients by name."

    outputs: "list[Tensor]"
    gradients: "dict[str, Tensor]" = field(default_factory=dict)


def noise(*shape: int, seed: int) -> Tensor:
    "Normal numbers."
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def images(n: int = BATCH, side: int = 128, seed: int = 1) -> Tensor:
    "Smooth images in [-1, 1], (n,3,side,side)."
    coarse = noise(n, 3, side // 8, side // 8, seed=seed)
    return nn.functional.interpolate(coarse, size=side, mode="bilinear").mul(0.5).clamp(-0.98, 0.98)


def units(n: int = BATCH, dim: int = 128, seed: int = 2) -> Tensor:
    "Unit embeddings (n,dim)."
    return nn.functional.normalize(noise(n, dim, seed=seed), dim=1)


def without_zeros(net: nn.Module) -> nn.Module:
    "Fill weights that begin at zero, behind which nothing could be seen, and take dropout out."
    for k, p in enumerate(net.parameters()):
        if not p.detach().any():
            p.data.copy_(0.05 * noise(*p.shape, seed=100 + k))
    for m in net.modules():
        if isinstance(m, nn.Dropout):
            m.p = 0.0
    return net


def recipe_networks(name: str) -> "Iterator[tuple[str, Case]]":
    "The networks that a recipe trains, as its method builds them."
    from facegen_nb.encoders.zoo import load_encoder
    from facegen_nb.training.config import find_recipe, method_of
    from facegen_nb.training.processes import Distributed

    recipe = find_recipe(name)
    changes = {"lpips": 0.0, "precision": "fp32", "discriminators": "pixels", "aux_encoder": ""}
    recipe = recipe.replace({k: v for k, v in changes.items() if hasattr(recipe, k)})
    if not getattr(recipe, "latents", False) and hasattr(recipe, "identity") and recipe.method == "adversarial":
        recipe = recipe.replace({"identity": 1.0})
    torch.manual_seed(0)
    encoder = load_encoder("rendered", device="cpu")
    method = method_of(recipe.method)[1](recipe, encoder, dict(encoder.fingerprint), Distributed("cpu"))
    for key, net in method.nets.items():
        if key == "model":
            t, known = torch.tensor([0.2, 0.7]), torch.tensor([True, False])
            channels, *sides = net.noise_shape
            if name.startswith("dino-diffusion-scripts"):  # takes any side; attends to each pixel, so a small one
                sides = [side // 2 for side in sides]
            inputs = (noise(2, channels, *sides, seed=3), t, units(2), known)
        elif key == "g":
            inputs = (units(), noise(BATCH, *net.noise_shape, seed=3))
        else:
            inputs = (images(), units())
        yield f"{name}: {key}", Case(without_zeros(net.requires_grad_(True).train()), inputs)


def loss_cases() -> "Iterator[tuple[str, Case]]":
    "Losses and augmentations; a gradient of a gradient among them."
    from facegen_nb.encoders import augment
    from facegen_nb.models.diffusion import Path, denoising_loss, estimates, sample_time
    from facegen_nb.models.gan import Discriminator
    from facegen_nb.training import losses
    from facegen_nb.training.methods import batch_std

    u = torch.rand(BATCH, 14, generator=torch.Generator().manual_seed(4))
    logits = noise(2, 16, seed=5)
    for kind in losses.GAN_LOSSES:
        both = Call(lambda x, kind=kind: [losses.d_loss(x[0], x[1], kind), losses.g_loss(x[1], kind, x[0])])
        yield f"adversarial loss: {kind}", Case(both, (logits,))
    yield "augment", Case(Call(lambda x, u: augment.augment(x, u)), (images(), u))
    yield "augmented view", Case(Call(lambda x, u: augment.augmented_view(x, 64, u)), (images(), u))
    yield "feature distance", Case(Call(lambda x, y: losses.feature_distance([x], [y])), (images(), images(seed=6)))
    yield "standard deviation over the batch", Case(Call(batch_std), (images(),))
    d = without_zeros(Discriminator(128, channels=(16, 32, 64, 64, 64)))
    slope = Call(lambda d, x, e: losses.gradient_penalty(d(x, e), x), d)
    yield "gradient penalty", Case(slope, (images(), units()), half=False)

    def denoise(x: Tensor, z: Tensor, u: Tensor) -> "list[Tensor]":
        t = sample_time(u[:, 0])
        out = [t]
        for path in (Path("flow"), Path("ddpm")):
            x_t = path.mix(x, z, t)
            out.append(denoising_loss(x + 0.1 * z, x, z, x_t, t, path=path, prediction="x", space="v"))
            out += estimates(x, x_t, t, path, "v")
        return out

    given = (images(), noise(BATCH, 3, 128, 128, seed=7), u)
    yield "denoising loss, flow and DDPM", Case(Call(denoise), given, half=False)


def feature_discriminator() -> Case:
    "A discriminator on the maps of a frozen recogniser, which is no part of its state."
    from facegen_nb.encoders.zoo import load_encoder
    from facegen_nb.models.gan import FeatureDiscriminator

    encoder = load_encoder("rendered", device="cpu")
    torch.manual_seed(0)
    discriminator = without_zeros(FeatureDiscriminator(encoder.features, 128, width=32))

    def logits(encoder: nn.Module, discriminator: nn.Module, x: Tensor, e: Tensor) -> Tensor:
        discriminator.features = encoder.features
        return discriminator(x, e)

    return Case(Call(logits, encoder, discriminator), (images(), units()))


def encoder_cases(only: str) -> "Iterator[tuple[str, Case]]":
    "Recognisers with the gradient for their images, with random weights where their own are missing."
    import timm
    from facenet_pytorch import InceptionResnetV1

    from facegen_nb.encoders.base import Encoder
    from facegen_nb.encoders.small import RENDERED
    from facegen_nb.encoders.zoo import ENCODERS, load_encoder

    def vit() -> nn.Module:
        return timm.create_model("vit_tiny_patch16_224", patch_size=8, img_size=112, num_classes=512)

    def edgenext() -> nn.Module:
        return timm.create_model("edgenext_xx_small", num_classes=512)

    makes = {"facenet": (InceptionResnetV1, 96), "edgeface_xxs": (edgenext, 112), "tinyvit": (vit, 112)}
    for name in ENCODERS:
        if only not in f"encoder {name} with random weights":
            continue
        try:
            with mock.patch.dict("os.environ", FACEGEN_OFFLINE="1"):
                encoder = load_encoder(name, device="cpu")
        except FacegenError as ex:
            if name not in makes:
                print(f"not checked: encoder {name} ({str(ex)[:90]}...)")
                continue
            torch.manual_seed(0)
            make, side = makes[name]
            with torch.no_grad():
                net = make()
            encoder, name = Encoder(without_zeros(net), name, 512, side), f"{name} with random weights"
        if encoder.differentiable:
            yield f"encoder {name}", Case(encoder, (images(2),), half=name in RENDERED)
        else:
            yield f"encoder {name}", Case(encoder, (images(2),), backward=False, half=False, double=False)


def other_cases(only: str) -> "Iterator[tuple[str, Case]]":
    "The autoencoder, LPIPS, the detector's networks, the reader of factors, the optimiser."
    from facegen_nb.data.alignment import mtcnn_nets
    from facegen_nb.data.synthetic import straighten
    from facegen_nb.metrics.attributes import Reader
    from facegen_nb.models.autoencoder import TinyAutoencoder
    from facegen_nb.training.losses import LPIPS, lpips_missing
    from facegen_nb.training.optim import orthogonalise

    torch.manual_seed(0)
    auto = TinyAutoencoder()
    yield "autoencoder", Case(Call(lambda net, x: [z := net.encode(x), net.decode(z)], auto), (images(2, side=32),))
    if lpips_missing():
        if only in "LPIPS":
            print("not checked: LPIPS (its weights are missing)")
    else:
        yield "LPIPS", Case(LPIPS("squeeze"), (images(), images(seed=6)))
    for net, side in zip(mtcnn_nets(), (48, 24, 48)):
        call = Call(lambda net, x: list(net(x)), net)
        yield f"detector {type(net).__name__}", Case(call, (images(side=side),), backward=False, half=False)
    reader = Reader(8, 32).train()
    yield "reader of factors", Case(without_zeros(reader), (images(),), double=False)
    turned, poses = Call(lambda x, p: list(straighten(x, p))), torch.full((BATCH, 5), 0.4)
    yield "straightened faces", Case(turned, (images(), poses), backward=False, half=False, double=False)
    matrix = (noise(48, 32, seed=8),)
    yield "orthogonalise (Muon)", Case(Call(orthogonalise), matrix, backward=False, half=False, double=False)


def cases(names: "tuple[str, ...]", only: str) -> "Iterator[tuple[str, Case]]":
    "Everything that is compared, one after the other; what takes long to make only where it is wanted."
    for name in names:
        if not any(only in f"{name}: {key}" for key in ("d", "g", "model")):
            continue
        yield from recipe_networks(name)  # needs no file: what cannot be built is a fault, and ends the check
    yield "discriminator on features", feature_discriminator()
    yield from loss_cases()
    yield from encoder_cases(only)
    yield from other_cases(only)


@contextlib.contextmanager
def in_format(form: torch.memory_format) -> "Iterator[None]":
    "Within the block every module of the library takes this order of memory."
    with contextlib.ExitStack() as stack:
        for name, module in list(sys.modules.items()):
            if name.startswith("facegen_nb") and getattr(module, "layout", None) is layout:
                stack.enter_context(mock.patch.object(module, "layout", lambda device: form))
        yield


def spoil(net: nn.Module, inputs: "list[Tensor]", fault: str) -> None:
    "Put a fault into a network or its inputs: what the faults of real devices did."
    if fault == "gradient":  # as batch normalisation's on MPS in channels_last
        weights = [m.weight for m in net.modules() if isinstance(m, nn.BatchNorm2d) and m.weight.requires_grad]
        weights = weights or [p for p in net.parameters() if p.requires_grad]
        for p in weights[:1] or [x for x in inputs if x.requires_grad][:1]:
            p.register_hook(lambda g: 3 * g)
    elif fault == "output":

        def louder(module: nn.Module, given: tuple, out: "Tensor | list[Tensor]") -> "Tensor | list[Tensor]":
            return 1.01 * out if isinstance(out, Tensor) else [1.01 * o for o in out]

        net.register_forward_hook(louder)
    elif fault == "copy":  # as a copy that reads what was freed
        with torch.no_grad():
            inputs[0][1] = inputs[0][0]


def compute(case: Case, device: torch.device, form: torch.memory_format, kind: str, fault: str = "") -> Result:
    "Outputs and gradients of a case on a device; the gradient is that of a sum with fixed random weights."
    net = copy.deepcopy(case.net).to(device)
    inputs = [x.detach().clone().to(device) for x in case.inputs]
    if kind == "fp64":
        net, inputs = net.double(), [x.double() if x.is_floating_point() else x for x in inputs]
    net = net.to(memory_format=form)
    inputs = [x.contiguous(memory_format=form) if x.ndim == 4 else x for x in inputs]
    for x in inputs:
        x.requires_grad_(case.backward and x.is_floating_point())
    spoil(net, inputs, fault)
    exact = contextlib.nullcontext() if kind == "tf32" else full_precision(device)
    with in_format(form), exact, torch.set_grad_enabled(case.backward):
        with autocast(device, KINDS.get(kind, torch.float32)):
            out = net(*inputs)
        out = [out] if isinstance(out, Tensor) else list(out)
        result = Result([o.detach().cpu().double() for o in out])
        if case.backward:
            sum((o.cpu().double() * probe(o.shape, k)).sum() for k, o in enumerate(out)).backward()
            named = [*net.named_parameters(), *((f"input {k}", x) for k, x in enumerate(inputs))]
            result.gradients = {k: p.grad.cpu().double() for k, p in named if p.grad is not None}
    return result


def probe(shape: torch.Size, seed: int) -> Tensor:
    "Fixed weights of outputs, float64."
    return noise(*shape, seed=1000 + seed).double() if len(shape) else torch.ones((), dtype=torch.float64)


def errors(found: Result, right: Result) -> "tuple[float, float, float, str]":
    "Relative errors of outputs, of all gradients, and of the worst gradient beside a thousandth of all; its name."

    def relative(pairs: "list[tuple[Tensor, Tensor]]", least: float = 0.0) -> float:
        wrong = sum(float((a - b).square().sum()) for a, b in pairs) ** 0.5
        error = wrong / (sum(float(b.square().sum()) for _, b in pairs) ** 0.5 + least + 1e-12)
        return error if error == error else float("inf")  # NaN is an error too

    outputs = max(relative([pair]) for pair in zip(found.outputs, right.outputs))
    if found.gradients.keys() != right.gradients.keys():
        return outputs, float("inf"), float("inf"), "a gradient that is missing"
    pairs = [(found.gradients[k], b) for k, b in right.gradients.items()]
    least = 1e-3 * sum(float(b.square().sum()) for _, b in pairs) ** 0.5
    worst = max(((relative([pair], least), k) for k, pair in zip(right.gradients, pairs)), default=(0.0, ""))
    return outputs, relative(pairs), *worst


def number_types(device: torch.device, asked: "str | None") -> "list[str]":
    "The number types to check on a device: those that were asked for, else all that it has."
    if asked:
        return asked.split(",")
    if device.type == "cuda":
        bf16 = torch.cuda.get_device_capability(device)[0] >= 8
        return ["fp32", *(["tf32", "bf16"] if bf16 else []), "fp16"]
    return ["fp32"]


def check(name: str, case: Case, device: torch.device, precision: "str | None", fault: str = "") -> "Iterator[bool]":
    "Compare one case in every order of memory and number type; one line each."
    right = compute(case, torch.device("cpu"), torch.contiguous_format, "fp64" if case.double else "fp32")
    for label, form in FORMATS.items():
        for kind in number_types(device, precision):
            if not case.half and kind in ("bf16", "fp16"):
                continue
            start = time.monotonic()
            try:
                *found, where = errors(compute(case, device, form, kind, fault), right)
                fine = all(e <= limit for e, limit in zip(found, LIMITS[kind]))
                text = f"outputs {found[0]:.1e}" + (
                    f", gradients {found[1]:.1e}, worst {found[2]:.1e}" if case.backward else ""
                )
                text += (
                    ""
                    if fine
                    else f" of {where or 'outputs'}; at most {', '.join(map(str, LIMITS[kind]))} were expected"
                )
            except Exception as ex:
                fine, text = False, f"{type(ex).__name__}: {(str(ex).strip() or 'no message').splitlines()[0][:160]}"
            unused = device.type == "mps" and form != layout(device)  # the library takes the other one there
            mark = "ok  " if fine else "FAIL"
            print(
                f"{'note' if unused else mark}  {name}, {label}, {kind}: {text} ({time.monotonic() - start:.1f} s)",
                flush=True,
            )
            if not unused:
                yield fine


def main() -> int:
    "Check what was asked for; 0 when all passed."
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", help="cuda, cuda:1, mps or cpu; the fastest where absent")
    parser.add_argument("--precision", help="fp32, tf32, bf16, fp16, joined by commas; all of the device where absent")
    parser.add_argument("--only", default="", help="check only what has this in its name")
    parser.add_argument("--all", action="store_true", help="every recipe, not one of each kind")
    faults = ["gradient", "output", "copy"]
    parser.add_argument("--inject", nargs="+", default=[""], choices=faults, help="put faults in, which must be found")
    asked = parser.parse_args()
    names = MAIN
    if asked.all:
        import importlib

        from facegen_nb.training.config import recipe_module, recipe_names

        names = sorted({recipe_module(n) for n in recipe_names()})
        modules = [importlib.import_module(f"facegen_nb.recipes.{m}") for m in names]
        names = tuple(r.name for m in modules for r in getattr(m, "recipes", [m.recipe]))
    try:
        device = pick_device(asked.device)
        print(
            f"{device} against the CPU, torch {torch.__version__}, {', '.join(number_types(device, asked.precision))}",
            flush=True,
        )
        wanted = ((name, case) for name, case in cases(names, asked.only) if asked.only in name)
        done = {fault: [] for fault in asked.inject}
        for name, case in wanted:
            for fault, fine in done.items():
                fine += check(name, case, device, asked.precision, fault)
    except FacegenError as ex:
        print(ex, file=sys.stderr)
        return 2
    for fault, fine in done.items():
        print(f"{fault}: " * bool(fault) + f"{sum(fine)} passed, {len(fine) - sum(fine)} failed")
    return 0 if all(fine and all(fine) for fine in done.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
