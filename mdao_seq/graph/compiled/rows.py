"""A weighted sum of rows that stand in memory one after the other, each as wide as a cache line.

LLVM unrolls a loop of `WIDTH` steps before it looks for vectors in it, and then finds none: so this
one loop is handed to it as vectors.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 8


@intrinsic
def add_rows(typingctx, first, last, sources, entries, rows, out):
    """Set `out` (WIDTH,) to the sum of ``entries[e] * rows[sources[e]]``, e in first:last."""
    signature = types.void(types.uint64, types.uint64, sources, entries, rows, out)

    def generate(context, builder, signature, arguments):
        first, last = arguments[:2]
        data = [
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(signature.args[2:], arguments[2:], strict=True)
        ]
        vector, i64, i32 = ir.VectorType(ir.DoubleType(), WIDTH), ir.IntType(64), ir.IntType(32)
        lanes = ir.Constant(ir.VectorType(i32, WIDTH), [0] * WIDTH)
        total = cgutils.alloca_once_value(builder, ir.Constant(vector, [0.0] * WIDTH))
        undefined = ir.Constant(vector, ir.Undefined)

        def as_vectors(pointer):
            return builder.bitcast(pointer, vector.as_pointer())

        with cgutils.for_range_slice(builder, first, last, ir.Constant(i64, 1), i64) as (e, _):
            source = builder.load(builder.gep(data[0], [e]))
            if source.type != i64:
                source = builder.zext(source, i64)
            place = builder.mul(source, ir.Constant(i64, WIDTH))
            row = builder.load(as_vectors(builder.gep(data[2], [place])), align=8)
            weight = builder.load(builder.gep(data[1], [e]))
            one = builder.insert_element(undefined, weight, ir.Constant(i32, 0))
            factor = builder.shuffle_vector(one, undefined, lanes)
            product = builder.fmul(row, factor, flags=['contract'])
            builder.store(builder.fadd(builder.load(total), product, flags=['contract']), total)
        builder.store(builder.load(total), as_vectors(data[3]), align=8)
        return context.get_dummy_value()

    return signature, generate
