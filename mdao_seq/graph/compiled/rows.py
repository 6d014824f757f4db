"""A weighted sum of rows that stand in memory one after the other, each as wide as a cache line.

LLVM unrolls a loop of `WIDTH` steps before it looks for vectors in it, and then finds none: so this
one loop is handed to it as vectors. And the rows lie too far apart for the machine to guess: so
each is asked for some edges ahead (measured on 16 M edges: 70 ms a pass against 85).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WIDTH = 8
_AHEAD = 20

_I8, _I32, _I64 = (ir.IntType(bits) for bits in (8, 32, 64))
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)


@intrinsic
def add_rows(typingctx, first, last, sources, entries, rows, out):
    """Set `out` (WIDTH,) to the sum of ``entries[e] * rows[sources[e]]``, e in first:last."""
    signature = types.void(types.uint64, types.uint64, sources, entries, rows, out)

    def generate(context, builder, signature, arguments):
        first, last = arguments[:2]
        sources, entries, rows, out = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[2:], arguments[2:], strict=True)
        )
        lanes = ir.Constant(ir.VectorType(_I32, WIDTH), [0] * WIDTH)
        undefined = ir.Constant(_VECTOR, ir.Undefined)
        total = cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0.0] * WIDTH))
        end = builder.sub(sources.nitems, ir.Constant(_I64, 1))

        def row(edge):
            source = builder.load(builder.gep(sources.data, [edge]))
            if source.type != _I64:
                source = builder.zext(source, _I64)
            return builder.gep(rows.data, [builder.mul(source, ir.Constant(_I64, WIDTH))])

        def as_vector(pointer):
            return builder.bitcast(pointer, _VECTOR.as_pointer())

        with cgutils.for_range_slice(builder, first, last, ir.Constant(_I64, 1), _I64) as (e, _):
            later = builder.add(e, ir.Constant(_I64, _AHEAD))
            later = builder.select(builder.icmp_unsigned('<', later, end), later, end)
            _fetch(builder, row(later))
            weight = builder.load(builder.gep(entries.data, [e]))
            one = builder.insert_element(undefined, weight, ir.Constant(_I32, 0))
            factor = builder.shuffle_vector(one, undefined, lanes)
            values = builder.load(as_vector(row(e)), align=8)
            product = builder.fmul(values, factor, flags=['contract'])
            builder.store(builder.fadd(builder.load(total), product, flags=['contract']), total)
        builder.store(builder.load(total), as_vector(out.data), align=8)
        return context.get_dummy_value()

    return signature, generate


def _fetch(builder, pointer):
    """Ask for what is there, to be read soon and again (LLVM's prefetch: read, 3, data)."""
    address = builder.bitcast(pointer, _I8.as_pointer())
    kind = ir.FunctionType(ir.VoidType(), [address.type, _I32, _I32, _I32])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, 'llvm.prefetch.p0i8')
    builder.call(prefetch, [address, *(ir.Constant(_I32, value) for value in (0, 3, 1))])
