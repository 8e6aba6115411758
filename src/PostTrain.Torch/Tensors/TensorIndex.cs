namespace TorchSharp;

public static partial class torch
{
    /// <summary>One index of a tensor: a number, a slice, a new dimension, an ellipsis, a truth value or a tensor of indices.</summary>
    public struct TensorIndex
    {
        internal enum Kind
        {
            None,
            Ellipsis,
            Single,
            Slice,
            Bool,
            Tensor,
        }

        internal Kind What { get; private init; }
        internal long? First { get; private init; }
        internal long? Last { get; private init; }
        internal long? Step { get; private init; }
        internal Tensor? Indices { get; private init; }

        /// <summary>All dimensions that the other indices leave.</summary>
        public static TensorIndex Ellipsis = new() { What = Kind.Ellipsis };

        /// <summary>A new dimension of size 1.</summary>
        public static TensorIndex None = new() { What = Kind.None };

        /// <inheritdoc cref="None"/>
        public static TensorIndex Null = new() { What = Kind.None };

        /// <summary>The whole of a dimension.</summary>
        public static TensorIndex Colon = new() { What = Kind.Slice };

        /// <summary>Every <paramref name="step"/>-th index from <paramref name="start"/> up to, not including, <paramref name="stop"/>; negative ones count from the end.</summary>
        public static TensorIndex Slice(long? start = null, long? stop = null, long? step = null) =>
            new() { What = Kind.Slice, First = start, Last = stop, Step = step };

        public static TensorIndex Slice((int? start, int? end) range) => Slice(range.start, range.end);

        public static TensorIndex Slice(Range range) => Slice(Place(range.Start), range.End is { IsFromEnd: true, Value: 0 } ? null : Place(range.End));

        public static TensorIndex Bool(bool value) => new() { What = Kind.Bool, First = value ? 1 : 0 };

        public static TensorIndex Single(long? index) => index is null ? None : new() { What = Kind.Single, First = index };

        public static TensorIndex Tensor(Tensor tensor) => new() { What = Kind.Tensor, Indices = tensor };

        public static implicit operator TensorIndex(long value) => Single(value);
        public static implicit operator TensorIndex(Index index) => Single(Place(index));
        public static implicit operator TensorIndex(Range range) => Slice(range);
        public static implicit operator TensorIndex((int? start, int? end) range) => Slice(range);

        /// <summary>Makes an index of mixed kinds the better overload; only a number or a tensor has a value as a tensor.</summary>
        public static implicit operator Tensor(TensorIndex value) => value.What switch
        {
            Kind.Single => tensor(value.First!.Value),
            Kind.Tensor => value.Indices!.alias(),
            _ => throw new InvalidOperationException($"Given an index of the kind {value.What}, expected a number or a tensor."),
        };

        // An index from the end is negative, which libtorch counts the same way. ^0 is past the end and no element.
        private static long Place(Index index) => index.IsFromEnd
            ? index.Value == 0 ? throw new ArgumentOutOfRangeException(nameof(index), "^0", "expected ^1 or further from the end") : -index.Value
            : index.Value;
    }
}
