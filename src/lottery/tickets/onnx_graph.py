"""A network as an ONNX model, from images `bytes / 255` to the outputs before the softmax (extra `tickets`)."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lottery.errors import LotteryError
from lottery.networks import Layer, Normalization, Residual
from lottery.tickets.steps import SMALL, CompactStep, Select

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    raise LotteryError(
        "the format onnx needs the packages onnx and onnxruntime: pip install 'lottery-ticket-workflow[tickets]'"
    ) from None

OPERATORS = 17
"""Version of ONNX's operators; IR_VERSION that of its files: both of 2022, which runtimes of today read."""

IR_VERSION = 8


class Graph:
    """Nodes and arrays of a model in the making; each value has a name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.arrays: dict[str, NDArray] = {}

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """A node; the name of what it makes."""
        made = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [made], **attributes))
        return made

    def array(self, name: str, values: NDArray) -> str:
        """A constant."""
        self.arrays[name] = values
        return name


def model_of(
    steps: Iterable[CompactStep],
    seen: tuple[int, ...],
    image_shape: tuple[int, ...],
    scaling: str,
    moments: tuple[NDArray, NDArray] | None,
    arrays: Mapping[str, NDArray],
    texts: Mapping[str, str],
) -> bytes:
    """The model's file: input `images` float32 [images, *image_shape], output `logits` float32 [images, classes].

    arrays: those of the layers, and the places of selections; texts: told in the model's metadata.
    """
    graph = Graph()
    values = scaled(graph, "images", scaling, moments, image_shape)
    if seen != image_shape:
        values = graph.add("Reshape", values, graph.array("seen", np.array([-1, *seen], np.int64)))
    values = through(graph, steps, values, arrays)
    graph.nodes.append(helper.make_node("Identity", [values], ["logits"]))
    classes = None
    made = helper.make_graph(
        graph.nodes,
        "ticket",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["images", *image_shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["images", classes])],
        [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in graph.arrays.items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPERATORS)], producer_name="lottery")
    model.ir_version = IR_VERSION
    helper.set_model_props(model, dict(texts))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def scaled(
    graph: Graph, images: str, scaling: str, moments: tuple[NDArray, NDArray] | None, image_shape: tuple[int, ...]
) -> str:
    """What the network sees of images `bytes / 255`."""
    axes = graph.array("axes", np.arange(1, 1 + len(image_shape), dtype=np.int64)) if "image" in scaling else ""
    number = {name: np.array(value, np.float32) for name, value in {"255": 255, "0": 0, "1": 1}.items()}
    match scaling:
        case "bytes":
            return graph.add("Mul", images, graph.array("255", number["255"]))
        case "standardised":
            assert moments
            mean, deviation = (each.reshape(image_shape) for each in moments)
            moved = graph.add("Sub", images, graph.array("mean", mean))
            return graph.add("Div", moved, graph.array("deviation", deviation))
        case "image-norm":
            squares = graph.add("ReduceSum", graph.add("Mul", images, images), axes, keepdims=1)
            norm = graph.add("Sqrt", squares)
            empty = graph.add("Equal", norm, graph.array("0", number["0"]))
            return graph.add("Div", images, graph.add("Where", empty, graph.array("1", number["1"]), norm))
        case "image-standardised":
            numbers = np.float32(np.prod(image_shape))
            count = graph.array("count", np.array(numbers, np.float32))
            values = graph.add("Mul", images, graph.array("255", number["255"]))
            mean_of_image = graph.add("Div", graph.add("ReduceSum", values, axes, keepdims=1), count)
            values = graph.add("Sub", values, mean_of_image)
            squares = graph.add("ReduceSum", graph.add("Mul", values, values), axes, keepdims=1)
            spread = graph.add("Sqrt", graph.add("Div", squares, count))
            least = graph.array("least", np.array(numbers**-0.5, np.float32))
            return graph.add("Div", values, graph.add("Max", spread, least))
    return images


def through(graph: Graph, steps: Iterable[CompactStep], values: str, arrays: Mapping[str, NDArray]) -> str:
    """What steps make of values."""

    def named(*names: str) -> list[str]:
        return [graph.array(name, arrays[name]) for name in names]

    for step in steps:
        match step:
            case Layer():
                used = named(step.weight_name, *([step.bias_name] if step.has_bias else []))
                if step.kernel:
                    kernel, margin = [step.kernel] * 2, [step.kernel // 2] * 4
                    values = graph.add(
                        "Conv", values, *used, kernel_shape=kernel, pads=margin, strides=[step.stride] * 2
                    )
                else:
                    values = graph.add("Gemm", values, *used, transB=1)
            case Normalization():
                used = named(f"{step.name}.weight", f"{step.name}.bias", *step.statistics)
                values = graph.add("BatchNormalization", values, *used, epsilon=SMALL)
            case Select():
                values = graph.add("Gather", values, *named(step.places_name), axis=1)
            case Residual():
                body, beside = (through(graph, part, values, arrays) for part in (step.body, step.shortcut))
                values = graph.add("Add", body, beside)
            case "relu":
                values = graph.add("Relu", values)
            case "max-pool":
                values = graph.add("MaxPool", values, kernel_shape=[2, 2], strides=[2, 2])
            case "average-pool":
                values = graph.add("GlobalAveragePool", values)
            case "flatten":
                values = graph.add("Flatten", values, axis=1)
    return values
