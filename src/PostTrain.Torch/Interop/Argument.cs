using TorchSharp;

namespace PostTrain.Torch.Interop;

/// <summary>One argument of an operator on the C# side; the implicit conversions let an operator's call read like its signature.</summary>
internal readonly struct Argument
{
    internal readonly Tag Tag;
    internal readonly int Length;
    internal readonly long Bits;
    internal readonly object? Reference;

    private Argument(Tag tag, long bits = 0, object? reference = null, int length = 0)
    {
        Tag = tag;
        Bits = bits;
        Reference = reference;
        Length = length;
    }

    /// <summary>An absent optional argument.</summary>
    internal static Argument None => default;

    /// <summary>A list in which null stands for an index that is not given (<c>Tensor?[]</c>).</summary>
    internal static Argument Optional(torch.Tensor?[] tensors) => new(Tag.OptionalTensorList, 0, tensors, tensors.Length);

    public static implicit operator Argument(torch.Tensor? tensor) => tensor is null ? default : new(Tag.Tensor, tensor.Handle, tensor);
    public static implicit operator Argument(long value) => new(Tag.Int, value);
    public static implicit operator Argument(long? value) => value is { } given ? new(Tag.Int, given) : default;
    public static implicit operator Argument(double value) => new(Tag.Double, BitConverter.DoubleToInt64Bits(value));
    public static implicit operator Argument(double? value) => value is { } given ? given : default(Argument);
    public static implicit operator Argument(bool value) => new(Tag.Bool, value ? 1 : 0);
    public static implicit operator Argument(string? value) => value is null ? default : new(Tag.String, 0, System.Text.Encoding.UTF8.GetBytes(value));
    public static implicit operator Argument(Scalar? value) => value is null ? default : new(value.Tag, value.Bits);
    public static implicit operator Argument(torch.ScalarType value) => new(Tag.Int, (long)value);
    public static implicit operator Argument(torch.ScalarType? value) => value is { } given ? new(Tag.Int, (long)given) : default;
    public static implicit operator Argument(torch.Device? value) => value is null ? default : new(Tag.Device, value.NativeIndex, null, (int)value.type);
    public static implicit operator Argument(torch.Generator? value) => value is null ? default : new(Tag.Generator, value.Handle, value);
    public static implicit operator Argument(long[]? values) => values is null ? default : new(Tag.IntList, 0, values, values.Length);
    public static implicit operator Argument(double[]? values) => values is null ? default : new(Tag.DoubleList, 0, values, values.Length);
    public static implicit operator Argument(bool[]? values) => values is null ? default : new(Tag.BoolList, 0, Array.ConvertAll(values, v => v ? 1L : 0L), values.Length);
    public static implicit operator Argument(torch.Tensor[] tensors) => new(Tag.TensorList, 0, tensors, tensors.Length);
}
