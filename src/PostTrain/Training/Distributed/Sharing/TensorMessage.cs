using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>Tensors as bytes of a message: type, shape, content.</summary>
internal static class TensorMessage
{
    internal static void Write(BinaryWriter writer, Tensor tensor)
    {
        using var scope = NewDisposeScope();
        var values = tensor.detach().cpu().contiguous();
        writer.Write((sbyte)values.dtype);
        writer.Write((byte)values.dim());
        foreach (long size in values.shape)
            writer.Write(size);
        writer.Write(values.bytes);
    }

    /// <summary>Reads a tensor into libtorch's own memory, on the CPU.</summary>
    internal static Tensor Read(BinaryReader reader)
    {
        var type = (ScalarType)reader.ReadSByte();
        var shape = new long[reader.ReadByte()];
        for (int i = 0; i < shape.Length; i++)
            shape[i] = reader.ReadInt64();
        var tensor = empty(shape, dtype: type);
        reader.BaseStream.ReadExactly(tensor.bytes);
        return tensor;
    }
}
