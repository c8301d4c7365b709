# SPDX-License-Identifier: Apache-2.0
"""Which backend serves, how the compiled library is found, and what is said when it is not."""

from __future__ import annotations

import ctypes.util
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from render_scenes import cloud

import f4x_ros.core.render as front
from f4x_ros.core.render import available_backends, native, render, resolve_backend, uplift


@pytest.fixture
def no_library(monkeypatch):
    """A machine on which nothing was compiled."""
    monkeypatch.setattr(native, "candidates", list)
    native.library.cache_clear()
    front._warn_once.cache_clear()
    yield
    monkeypatch.undo()
    native.library.cache_clear()
    front._warn_once.cache_clear()


def test_auto_is_the_compiled_rasteriser_on_the_cpu():
    assert available_backends()["cpu"] == "ok"
    assert resolve_backend("auto", "cpu") == "cpu"


def test_without_cuda_the_reason_is_given(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    front._cuda_problem.cache_clear()
    assert "no CUDA device" in available_backends()["cuda"]
    front._cuda_problem.cache_clear()


def test_cuda_tensors_without_gsplat_fall_back_and_say_what_to_install(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(front.importlib.util, "find_spec", lambda name: None)
    front._cuda_problem.cache_clear()
    front._warn_once.cache_clear()
    with pytest.warns(RuntimeWarning, match="pip install 'gsplat"):
        assert resolve_backend("auto", "cuda") == "padded"
    with pytest.raises(ValueError, match=r"gsplat is not installed"):
        resolve_backend("cuda", "cuda")
    with pytest.raises(ValueError, match="tensors are on cuda"):
        resolve_backend("cpu", "cuda")
    front._cuda_problem.cache_clear()
    front._warn_once.cache_clear()


def test_devices_of_other_makers_are_drawn_on_by_padded_torch():
    front._warn_once.cache_clear()
    with pytest.warns(RuntimeWarning, match="padded torch"):
        assert resolve_backend("auto", "mps") == "padded"
    with pytest.raises(ValueError, match="tensors are on mps"):
        resolve_backend("cpu", "mps")
    front._warn_once.cache_clear()


def test_without_a_library_padded_torch_serves_and_warns_once(no_library):
    scene = cloud(30)
    with pytest.warns(RuntimeWarning, match=r"padded torch.*C\+\+ compiler.*render\.build"):
        out = render(*scene.args())
    want = render(*scene.args(), backend="reference")
    assert torch.allclose(out.image, want.image, atol=1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        render(*scene.args())
        uplift(*scene.uplift_args(), torch.ones(scene.height, scene.width, 1).double())


def test_without_a_library_the_named_backend_is_refused_with_the_reason(no_library):
    assert "was not found" in available_backends()["cpu"]
    with pytest.raises(ValueError, match=r"'cpu' cannot run here: .*was not found"):
        render(*cloud(5).args(), backend="cpu")


def test_a_stale_library_is_refused_by_version_and_name(monkeypatch):
    path = native.library().path
    monkeypatch.setattr(native, "ABI", native.ABI + 1)
    with pytest.raises(native.NativeError, match=r"interface version .* expects .* stale"):
        native.Library(path)


def test_another_library_of_that_name_is_refused():
    name = ctypes.util.find_library("m")
    with pytest.raises(native.NativeError, match="interface version none"):
        native.Library(Path(name))


def test_a_file_that_does_not_load_is_refused(tmp_path):
    path = tmp_path / "libf4x_rast.so"
    path.write_bytes(b"not a library")
    with pytest.raises(native.NativeError, match="does not load"):
        native.Library(path)


def test_a_library_in_another_folder_of_the_package_is_found(tmp_path, monkeypatch):
    import f4x_ros

    folder = tmp_path / "core" / "render"
    folder.mkdir(parents=True)
    path = native.library().path
    shutil.copy(path, folder / path.name)
    monkeypatch.setattr(f4x_ros, "__path__", [*f4x_ros.__path__, str(tmp_path)])
    assert folder / path.name in native.candidates()
    assert native.Library(folder / path.name).build == native.library().build


def test_processors_without_avx2_get_the_baseline(monkeypatch):
    monkeypatch.setattr(native, "cpu_has_v3", lambda: False)
    assert {p.name for p in native.candidates()} == {"libf4x_rast.so"}


def test_every_structure_is_as_large_as_its_c_twin():
    # 64-bit pointers: abi.h's members without padding surprises
    assert ctypes.sizeof(native.Gaussians) == 56
    assert ctypes.sizeof(native.View) == 48
    assert ctypes.sizeof(native.Gradients) == 48
    assert ctypes.sizeof(native.Edges) == 128
    assert ctypes.sizeof(native.Links) == 32


def test_the_interface_version_stands_the_same_in_header_and_loader():
    header = Path(native.__file__).parent / "csrc" / "abi.h"
    assert f"#define F4X_RAST_ABI {native.ABI}\n" in header.read_text(encoding="utf-8")
