"""Four float32 numbers at once, as one value within compiled functions: what a processor adds or divides in one go.

    total = load(array, 8) * load(other, 0) + quad(0.5)      # numbers 8 to 11 of `array`
    store(array, 8, total)

A loop over four numbers is compiled to one such step only if the compiler can prove that no write hides a later read, which it
can't for rows of one large table. Arrays are one-dimensional, contiguous float32; an index beyond them is not noticed. And
`prefetch(array, place)` has the memory of a place brought near before it is read, for what lies anywhere in a large array.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, types
from numba.core import cgutils
from numba.extending import models, overload, register_model

intrinsic: Any = extending.intrinsic
WIDTH = 4
FLOAT, VECTOR = ir.FloatType(), ir.VectorType(ir.FloatType(), WIDTH)
FAST = ("fast",)
"""as `fastmath`: a product and a sum may be rounded once, and a root be refined from an estimate"""


class Quad(types.Type):
    """The type of four float32 numbers."""

    def __init__(self) -> None:
        super().__init__(name="Quad")


QUAD = Quad()


@register_model(Quad)
class _QuadModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Quad) -> None:
        super().__init__(manager, kind, VECTOR)


def _place(context: Any, builder: Any, pointed: Any, kind: Any, array: Any, place: Any) -> Any:
    """Pointer to number `place` of the array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), pointed.as_pointer())


@intrinsic
def load(typing: Any, array: Any, place: Any) -> Any:
    """The numbers `place` to `place + 3` of a float32 array."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.load(_place(context, builder, VECTOR, signature.args[0], *given), align=4)

    return QUAD(array, types.int64), generate


@intrinsic
def store(typing: Any, array: Any, place: Any, value: Any) -> Any:
    """Write the numbers `place` to `place + 3` of a float32 array."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        builder.store(given[2], _place(context, builder, VECTOR, signature.args[0], *given[:2]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, QUAD), generate


@intrinsic
def quad(typing: Any, number: Any) -> Any:
    """The same number four times."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        number = ir.IntType(32)
        one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), given[0], number(0))
        first = ir.Constant(ir.VectorType(number, WIDTH), [0] * WIDTH)
        return builder.shuffle_vector(one, ir.Constant(VECTOR, ir.Undefined), first)

    return QUAD(types.float32), generate


@intrinsic
def total_of(typing: Any, value: Any) -> Any:
    """float32: the sum of the four."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        parts = [builder.extract_element(given[0], ir.Constant(ir.IntType(32), place)) for place in range(WIDTH)]
        return builder.fadd(builder.fadd(parts[0], parts[1], FAST), builder.fadd(parts[2], parts[3], FAST), FAST)

    return types.float32(QUAD), generate


@intrinsic
def prefetch(typing: Any, array: Any, place: Any) -> Any:
    """Have number `place` of an array of any type, which must lie within it, brought near."""
    byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        where = _place(context, builder, ir.IntType(8), signature.args[0], *given)
        builder.call(function, [where, number(0), number(3), number(1)])  # to be read, soon, data
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


def _operator(operation: Callable[..., Any], name: str) -> None:
    """Two quads by an instruction."""

    @intrinsic
    def compute(typing: Any, left: Any, right: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return getattr(builder, name)(*given, flags=FAST)

        return QUAD(QUAD, QUAD), generate

    @overload(operation, strict=False)
    def choose(left: Any, right: Any) -> Any:
        return (lambda left, right: compute(left, right)) if isinstance(left, Quad) and isinstance(right, Quad) else None


def _of_one(operation: Callable[..., Any], name: str) -> None:
    """A quad by a function of LLVM."""

    @intrinsic
    def compute(typing: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return _call(builder, name, given)

        return QUAD(QUAD), generate

    @overload(operation, strict=False)
    def choose(value: Any) -> Any:
        return (lambda value: compute(value)) if isinstance(value, Quad) else None


def _of_two(operation: Callable[..., Any], name: str) -> None:
    """Two quads by a function of LLVM."""

    @intrinsic
    def compute(typing: Any, left: Any, right: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
            return _call(builder, name, given)

        return QUAD(QUAD, QUAD), generate

    @overload(operation, strict=False)
    def choose(left: Any, right: Any) -> Any:
        return (lambda left, right: compute(left, right)) if isinstance(left, Quad) and isinstance(right, Quad) else None


def _call(builder: Any, name: str, given: Any) -> Any:
    kind = ir.FunctionType(VECTOR, [VECTOR] * len(given))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{WIDTH}f32")
    return builder.call(function, given, fastmath=FAST)


_operator(operator.add, "fadd")
_operator(operator.iadd, "fadd")
_operator(operator.sub, "fsub")
_operator(operator.isub, "fsub")
_operator(operator.mul, "fmul")
_operator(operator.truediv, "fdiv")
_of_one(np.sqrt, "sqrt")
_of_one(np.abs, "fabs")
_of_two(np.maximum, "maxnum")
_of_two(np.copysign, "copysign")
