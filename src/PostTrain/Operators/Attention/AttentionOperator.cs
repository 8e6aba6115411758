using System.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary>Rotary embedding and causal grouped-query attention, softmax(cap(scale q kᵀ)) v, from the projections to the heads' results
/// side by side; nothing of the scores is kept. In bfloat16 computed in float32 and rounded once.</summary>
/// <remarks>Arguments: queries [B,T,H·Dh], keys and values [B,T,H_kv·Dh] (null where the first tensor has all three), cos and sin
/// [B or 1,T,1,2,d/2] or null, the <see cref="AttentionShape"/>, the <see cref="VisibleKeys"/>.</remarks>
internal sealed unsafe class AttentionOperator : autograd.SingleTensorFunction<AttentionOperator>
{
    public override string Name => nameof(AttentionOperator);

    /// <summary>[B,T,H·Dh].</summary>
    internal static Tensor Run(
        Tensor query,
        Tensor? key,
        Tensor? value,
        Tensor? cosine,
        Tensor? sine,
        AttentionShape shape,
        VisibleKeys visible
    )
    {
        using var scope = NewDisposeScope();
        return (
            Fused.Records(query, key, value)
                ? apply(query, key!, value!, cosine!, sine!, shape, visible)
                : Forward(query, key, value, cosine, sine, shape, visible, null)
        ).MoveToOuterDisposeScope();
    }

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using var scope = NewDisposeScope();
        var (query, key, value) = ((Tensor)vars[0], (Tensor?)vars[1], (Tensor?)vars[2]);
        var (cosine, sine) = ((Tensor?)vars[3], (Tensor?)vars[4]);
        var (shape, visible) = ((AttentionShape)vars[5], (VisibleKeys)vars[6]);
        var logSums = empty(shape.Batch, shape.Heads, shape.Length, dtype: Fused.ComputeType(query.dtype));
        var output = Forward(query, key, value, cosine, sine, shape, visible, logSums);
        ctx.set_materialize_grads(false);
        // An alias of the result: the result itself would hold the graph that holds it.
        ctx.save_for_backward([
            output.detach().MoveToOuterDisposeScope(),
            logSums.MoveToOuterDisposeScope(),
            query,
            key!,
            value!,
            cosine!,
            sine!,
        ]);
        ctx.save_data("settings", (shape, visible));
        return output.MoveToOuterDisposeScope();
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        if (grad_output is null || grad_output.IsInvalid)
            return [null!, null!, null!, null!, null!, null!, null!];
        using var scope = NewDisposeScope();
        var saved = ctx.get_saved_variables().ConvertAll(tensor => tensor is null || tensor.IsInvalid ? null : tensor);
        var (shape, visible) = ((AttentionShape, VisibleKeys))ctx.get_data("settings");
        Tensor?[] inputs = [saved[2], saved[3], saved[4]];
        if (is_grad_enabled())
            return
            [
                .. Fused
                    .WithGraph(
                        grad_output,
                        inputs,
                        own => AttentionReference.Run(own[0]!, own[1], own[2], saved[5], saved[6], shape, visible)
                    )
                    .Outward(),
                null!,
                null!,
                null!,
                null!,
            ];
        Tensor query = saved[2]!.contiguous(),
            g = grad_output.contiguous();
        Tensor? key = saved[3]?.contiguous(),
            value = saved[4]?.contiguous();
        var gradients = (
            Query: empty_like(query),
            Key: key is null ? null : empty_like(key),
            Value: value is null ? null : empty_like(value)
        );
        if (query.dtype == ScalarType.Float32)
            Backward<float, float>(saved, query, key, value, g, gradients, shape, visible);
        else if (query.dtype == ScalarType.BFloat16)
            Backward<float, BFloat16>(saved, query, key, value, g, gradients, shape, visible);
        else
            Backward<double, double>(saved, query, key, value, g, gradients, shape, visible);
        return Fused.Gradients(grad_output, gradients.Query, gradients.Key, gradients.Value, null, null, null, null);
    }

    private static Tensor Forward(
        Tensor query,
        Tensor? key,
        Tensor? value,
        Tensor? cosine,
        Tensor? sine,
        AttentionShape shape,
        VisibleKeys visible,
        Tensor? logSums
    )
    {
        (query, key, value) = (query.contiguous(), key?.contiguous(), value?.contiguous());
        var output = empty(shape.Batch, shape.Length, (long)shape.Heads * shape.HeadSize, dtype: query.dtype);
        if (query.dtype == ScalarType.Float32)
            Forward<float, float>(query, key, value, cosine, sine, output, logSums, shape, visible);
        else if (query.dtype == ScalarType.BFloat16)
            Forward<float, BFloat16>(query, key, value, cosine, sine, output, logSums, shape, visible);
        else
            Forward<double, double>(query, key, value, cosine, sine, output, logSums, shape, visible);
        return output;
    }

    private static void Forward<T, S>(
        Tensor query,
        Tensor? key,
        Tensor? value,
        Tensor? cosine,
        Tensor? sine,
        Tensor output,
        Tensor? logSums,
        AttentionShape shape,
        VisibleKeys visible
    )
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        using var cosines = new NumberSource<T>(cosine);
        using var sines = new NumberSource<T>(sine);
        var at = Place<T, S>(Address<S>(query), Address<S>(key), Address<S>(value), shape);
        at.Cosines = cosines.Pointer;
        at.Sines = sines.Pointer;
        at.Output = Address<S>(output);
        at.LogSums = Address<T>(logSums);
        AttentionForward.Run(shape, visible, at);
    }

    private static void Backward<T, S>(
        List<Tensor?> saved,
        Tensor query,
        Tensor? key,
        Tensor? value,
        Tensor g,
        (Tensor Query, Tensor? Key, Tensor? Value) gradients,
        AttentionShape shape,
        VisibleKeys visible
    )
        where T : unmanaged, IFloatingPointIeee754<T>
        where S : unmanaged
    {
        using var cosines = new NumberSource<T>(saved[5]);
        using var sines = new NumberSource<T>(saved[6]);
        var at = Place<T, S>(Address<S>(query), Address<S>(key), Address<S>(value), shape);
        at.Cosines = cosines.Pointer;
        at.Sines = sines.Pointer;
        at.Output = Address<S>(saved[0]);
        at.LogSums = Address<T>(saved[1]);
        at.Gradient = Address<S>(g);
        var to = Place<T, S>(Address<S>(gradients.Query), Address<S>(gradients.Key), Address<S>(gradients.Value), shape);
        at.QueryGradient = to.Query;
        at.KeyGradient = to.Key;
        at.ValueGradient = to.Value;
        AttentionBackward.Run(shape, visible, at);
    }

    private static T* Address<T>(Tensor? tensor)
        where T : unmanaged => tensor is null ? null : TensorMemory.Address<T>(tensor);

    private static AttentionPointers<T, S> Place<T, S>(S* query, S* key, S* value, AttentionShape shape)
        where T : unmanaged
        where S : unmanaged
    {
        long queries = (long)shape.Heads * shape.HeadSize,
            keys = (long)shape.KeyValueHeads * shape.HeadSize,
            all = queries + 2 * keys;
        return shape.Joint
            ? new()
            {
                Query = query,
                Key = query + queries,
                Value = query + queries + keys,
                QueryStep = all,
                KeyStep = all,
                ValueStep = all,
            }
            : new()
            {
                Query = query,
                Key = key,
                Value = value,
                QueryStep = queries,
                KeyStep = keys,
                ValueStep = keys,
            };
    }
}
