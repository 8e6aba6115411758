using PostTrain.Operators;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

/// <summary>The kernels of attention without the operator, so that a backward pass takes a given result.</summary>
internal static unsafe class AttentionGradients
{
    /// <summary>Gradients in float32 of queries, keys and values, or of the one tensor that has all three.</summary>
    /// <param name="inputs">In float32.</param>
    /// <param name="cosine">In float32, or null.</param>
    /// <param name="sine">The same.</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="visible">The visible keys.</param>
    /// <param name="output">The result to take; any type.</param>
    /// <param name="upstream">Gradient of the result; any type.</param>
    internal static Tensor[] Of(
        Tensor[] inputs,
        Tensor? cosine,
        Tensor? sine,
        AttentionShape shape,
        VisibleKeys visible,
        Tensor output,
        Tensor upstream
    )
    {
        var own = Array.ConvertAll(inputs, input => input.contiguous());
        var gradients = Array.ConvertAll(own, input => empty_like(input));
        var logSums = empty(shape.Batch, shape.Heads, shape.Length);
        Tensor first = output.to_type(ScalarType.Float32).clone(),
            given = upstream.to_type(ScalarType.Float32).contiguous();
        long queries = (long)shape.Heads * shape.HeadSize,
            keys = (long)shape.KeyValueHeads * shape.HeadSize,
            all = queries + 2 * keys;
        float* Part(Tensor[] tensors, int part) =>
            shape.Joint
                ? TensorMemory.Address<float>(tensors[0]) + (part > 0 ? queries : 0) + (part > 1 ? keys : 0)
                : TensorMemory.Address<float>(tensors[part]);
        var at = new AttentionPointers<float, float>
        {
            Query = Part(own, 0),
            Key = Part(own, 1),
            Value = Part(own, 2),
            QueryStep = shape.Joint ? all : queries,
            KeyStep = shape.Joint ? all : keys,
            ValueStep = shape.Joint ? all : keys,
            Cosines = cosine is null ? null : TensorMemory.Address<float>(cosine),
            Sines = sine is null ? null : TensorMemory.Address<float>(sine),
            Output = TensorMemory.Address<float>(empty_like(first)),
            LogSums = TensorMemory.Address<float>(logSums),
        };
        AttentionForward.Run(shape, visible, at);
        at.Output = TensorMemory.Address<float>(first);
        at.Gradient = TensorMemory.Address<float>(given);
        at.QueryGradient = Part(gradients, 0);
        at.KeyGradient = Part(gradients, 1);
        at.ValueGradient = Part(gradients, 2);
        AttentionBackward.Run(shape, visible, at);
        return gradients;
    }
}
