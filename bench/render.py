# SPDX-License-Identifier: Apache-2.0
"""Times the renderer and checks it against the bars of its issue.

    python bench/render.py [--json FILE] [--device cpu|cuda] [--prototype DIR] [--threads 2]

On the CPU: the compiled rasteriser against the prototype (compiled here, run in turn with ours) and
against padded torch, on the prototype's scene at its four sizes with 3 colours, 16 features, depth
and alpha; and the gradients in float64 against the dense reference. With --device cuda: gsplat
against the compiled CPU rasteriser. Prints a table and PASS or FAIL per bar; the exit code is 1 if
a bar failed. The machine may be shared: contestants run in turn, a ratio is the median over the
rounds of the ratio within a round, and a time is the minimum (the median stands beside it).
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as f4x_ros does; before torch is imported

import torch  # noqa: E402
from render_scene import SIZES, RoomScene, room_scene  # noqa: E402
from torch import Tensor  # noqa: E402

from f4x_ros.core.render import available_backends, native, render, uplift  # noqa: E402

LEAVES = ("means", "quats", "scales", "opacities", "colors", "viewmat")
GRADIENT_BAR = 1e-9
PADDED_BAR = 15.0
Report = dict[str, object]


class Contest:
    """One scene with its inputs and the gradients that flow back from image, depth and alpha."""

    def __init__(self, scene: RoomScene, *, with_features: bool = True) -> None:
        self.scene = scene
        channels = [scene.colors, scene.features] if with_features else [scene.colors]
        values = [getattr(scene, name) for name in LEAVES]
        values[4] = torch.cat(channels, 1)
        self.leaves = [v.clone().requires_grad_() for v in values]
        g = torch.Generator().manual_seed(0)
        size, dtype = (scene.height, scene.width), scene.means.dtype
        self.g_image = torch.randn(*size, values[4].shape[1], generator=g).to(dtype)
        self.g_depth = torch.randn(*size, generator=g).to(dtype)
        self.g_alpha = torch.randn(*size, generator=g).to(dtype)

    def draw(self, backend: str) -> tuple[Tensor, Tensor, Tensor]:
        s = self.scene
        out = render(*self.leaves, s.K, s.width, s.height, backend=backend)
        return out.image, out.depth, out.alpha

    def forward(self, backend: str) -> None:
        with torch.no_grad():
            self.draw(backend)

    def backward(self, backend: str) -> tuple[Tensor, ...]:
        incoming = [self.g_image, self.g_depth, self.g_alpha]
        return torch.autograd.grad(self.draw(backend), self.leaves, incoming)

    def uplift(self) -> None:
        s = self.scene
        uplift(
            s.means, s.quats, s.scales, s.opacities, s.viewmat, s.K, s.width, s.height, self.g_image
        )

    def to(self, device: str) -> Contest:
        other = Contest.__new__(Contest)
        other.scene = self.scene
        moved = {k: v.to(device) for k, v in vars(self.scene).items() if isinstance(v, Tensor)}
        other.scene = RoomScene(**{**vars(self.scene), **moved})
        other.leaves = [v.detach().to(device).requires_grad_() for v in self.leaves]
        for name in ("g_image", "g_depth", "g_alpha"):
            setattr(other, name, getattr(self, name).to(device))
        return other


class Prototype:
    """The rasteriser under shared/prototypes, compiled into a temporary folder."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module

    def draw(self, contest: Contest) -> tuple[Tensor, Tensor]:
        s = contest.scene
        out: tuple[Tensor, Tensor] = self.module.render(*contest.leaves, s.K, s.width, s.height)
        return out

    def forward(self, contest: Contest) -> None:
        with torch.no_grad():
            self.draw(contest)

    def backward(self, contest: Contest, incoming: list[Tensor]) -> None:
        torch.autograd.grad(self.draw(contest), contest.leaves, incoming)


@contextlib.contextmanager
def prototype(folder: Path) -> Iterator[Prototype | None]:
    """The compiled prototype, or None with a line that says why it is not measured."""
    source = folder / "rast_core.cpp"
    if not source.is_file():
        print(f"prototype: not measured, there is no {source}")
        yield None
        return
    with tempfile.TemporaryDirectory() as tmp:
        library = Path(tmp) / "librast.so"
        flags = ["-O3", "-march=x86-64-v3", "-fopenmp", "-ffast-math", "-shared", "-fPIC"]
        command = ["g++", *flags, str(source), "-o", str(library)]
        if subprocess.run(command, check=False).returncode:
            print(f"prototype: not measured, this failed: {' '.join(command)}")
            yield None
            return
        os.environ["RAST_LIB"] = str(library)
        spec = importlib.util.spec_from_file_location("cpp_rast", folder / "cpp_rast.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield Prototype(module)


def time_in_turn(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each run, one after the other in every round, so that all share the noise."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for k in range(rounds + 1):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            if k:  # the first round warms up
                times[name].append((time.perf_counter() - begin) * 1e3)
    return times


def median_ratio(have: list[float], other: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(have, other, strict=True))


def note(report: Report, size: str, times: dict[str, list[float]]) -> None:
    for name, values in times.items():
        report[f"{size}_{name}_ms"] = round(min(values), 3)
        report[f"{size}_{name}_median_ms"] = round(statistics.median(values), 3)
        print(f"  {name:28s} {min(values):9.2f} ms   median {statistics.median(values):9.2f}")


def judge(report: Report, bar: str, passed: bool, words: str) -> bool:
    report[f"pass_{bar}"] = passed
    print(f"{'PASS' if passed else 'FAIL'}  {bar}: {words}")
    return passed


def bench_cpu(report: Report, folder: Path, rounds: int) -> bool:
    ratios, speedups = [], []
    with prototype(folder) as proto:
        for count, width, height in SIZES:
            size = f"{count // 1000}k_{width}x{height}"
            print(size)
            contest = Contest(room_scene(count, width, height))
            runs: dict[str, Callable[[], object]] = {
                "forward": lambda c=contest: c.forward("cpu"),
                "forward_backward": lambda c=contest: c.backward("cpu"),
                "uplift": contest.uplift,
            }
            if proto is not None:
                deep = torch.cat([contest.g_image, contest.g_depth[..., None]], -1)
                flow = [deep, contest.g_alpha]
                runs["prototype_forward"] = lambda c=contest: proto.forward(c)
                runs["prototype_forward_backward"] = lambda c=contest, f=flow: proto.backward(c, f)
            times = time_in_turn(runs, rounds)
            slow: dict[str, Callable[[], object]] = {
                "padded_forward": lambda c=contest: c.forward("padded"),
                "padded_forward_backward": lambda c=contest: c.backward("padded"),
                "warm_up": lambda c=contest: c.backward("cpu"),
                "beside_padded": lambda c=contest: c.backward("cpu"),
            }
            padded = time_in_turn(slow, max(3, rounds // 5))
            padded.pop("warm_up")  # padded leaves neither caches nor allocator as it found them
            beside = padded.pop("beside_padded")
            speedups.append(median_ratio(padded["padded_forward_backward"], beside))
            times |= padded
            rgbd = Contest(contest.scene, with_features=False)
            plain: dict[str, Callable[[], object]] = {
                "rgbd_forward": lambda c=rgbd: c.forward("cpu"),
                "rgbd_forward_backward": lambda c=rgbd: c.backward("cpu"),
            }
            times |= time_in_turn(plain, rounds)
            note(report, size, times)
            report[f"{size}_padded_speedup"] = round(speedups[-1], 1)
            if proto is not None:
                theirs = times["prototype_forward_backward"]
                ratios.append(median_ratio(times["forward_backward"], theirs))
                report[f"{size}_prototype_ratio"] = round(ratios[-1], 3)
    good = True
    if ratios:
        words = f"forward + backward in {min(ratios):.2f} to {max(ratios):.2f} of its time"
        good &= judge(report, "not_slower_than_prototype", max(ratios) <= 1.0, words)
        report["prototype_ratio_worst"] = round(max(ratios), 3)
    words = f"{min(speedups):.0f} to {max(speedups):.0f} times faster, bar {PADDED_BAR:.0f}"
    good &= judge(report, "faster_than_padded", min(speedups) >= PADDED_BAR, words)
    report["padded_speedup_worst"] = round(min(speedups), 1)
    return good


def relative(have: Tensor, want: Tensor) -> float:
    return ((have - want).norm() / want.norm().clamp(min=1e-30)).item()


def check_gradients(report: Report) -> bool:
    """The largest error against the dense reference in float64, over the largest entry."""
    scene = room_scene(400, 48, 40, seed=3, radius_px=(4.0, 14.0), dtype=torch.float64)
    contest = Contest(scene)
    have, want = contest.backward("cpu"), contest.backward("reference")
    errors = {
        name: ((h - w).abs().max() / w.abs().max()).item()
        for name, h, w in zip(LEAVES, have, want, strict=True)
    }
    for name, error in errors.items():
        report[f"gradient_error_{name}"] = error
    worst = max(errors.values())
    words = f"worst error {worst:.1e} of the largest entry, bar {GRADIENT_BAR:.0e}"
    return judge(report, "gradients_equal_reference", worst <= GRADIENT_BAR, words)


def bench_cuda(report: Report, rounds: int) -> bool:
    """gsplat against the CPU rasteriser.

    A contribution whose alpha lies within rounding of the cut at 1/255 may be counted by one and
    not by the other; so a few values in 100,000 may differ by more than 1e-3, none by more than
    such a contribution.
    """
    problems = {k: v for k, v in available_backends().items() if k in ("cuda", "cpu") and v != "ok"}
    if problems:
        print("\n".join(f"cannot compare: {name}: {why}" for name, why in problems.items()))
        return False
    report["device"] = torch.cuda.get_device_name()
    good = True
    for count, width, height in SIZES:
        size = f"{count // 1000}k_{width}x{height}"
        print(size)
        cpu = Contest(room_scene(count, width, height))
        gpu = cpu.to("cuda")
        pairs = list(zip(gpu.draw("cuda"), cpu.draw("cpu"), strict=True))
        differences = torch.cat([(a.detach().cpu() - b.detach()).abs().flatten() for a, b in pairs])
        beyond, largest = (differences > 1e-3).float().mean().item(), differences.max().item()
        report[f"{size}_image_difference_max"] = largest
        report[f"{size}_image_share_beyond_1e-3"] = beyond
        words = f"{beyond:.1e} of the values differ by more than 1e-3, the largest by {largest:.1e}"
        good &= judge(report, f"{size}_images_agree", beyond <= 1e-4 and largest <= 0.03, words)
        grads = zip(gpu.backward("cuda"), cpu.backward("cpu"), strict=True)
        errors = {n: relative(a.cpu(), b) for n, (a, b) in zip(LEAVES, grads, strict=True)}
        for name, error in errors.items():
            report[f"{size}_gradient_difference_{name}"] = error
        worst = max(errors.values())
        words = f"worst relative difference {worst:.1e}, bar 1e-2"
        good &= judge(report, f"{size}_gradients_agree", worst <= 1e-2, words)

        def synchronised(run: Callable[[], object]) -> Callable[[], object]:
            return lambda: (run(), torch.cuda.synchronize())

        runs: dict[str, Callable[[], object]] = {
            "cuda_forward": synchronised(lambda c=gpu: c.forward("cuda")),
            "cuda_forward_backward": synchronised(lambda c=gpu: c.backward("cuda")),
            "forward": lambda c=cpu: c.forward("cpu"),
            "forward_backward": lambda c=cpu: c.backward("cpu"),
        }
        note(report, size, time_in_turn(runs, rounds))
    return good


def cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers to this file")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    default = ROOT.parent / "shared" / "prototypes" / "rasterizer"
    parser.add_argument("--prototype", type=Path, default=default, help="folder of the prototype")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    report: Report = {"bench": "render", "device": args.device, "cpu": cpu_model()}
    report |= {"threads": args.threads, "rounds": args.rounds, "torch": torch.__version__}
    if args.device == "cpu":
        problem = available_backends()["cpu"]
        if problem != "ok":
            print(f"cannot measure: {problem}")
            return 1
        report["build"] = native.library().build
        good = check_gradients(report)
        good &= bench_cpu(report, args.prototype, args.rounds)
    else:
        good = bench_cuda(report, args.rounds)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
