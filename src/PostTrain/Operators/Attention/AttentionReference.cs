using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Operators;

/// <summary><see cref="AttentionOperator"/> by tensor operators: with a table of scores, differentiable as often as wanted.</summary>
internal static class AttentionReference
{
    // As in the decoder's own masks: exp gives exactly 0 beside any score that counts.
    private const double Forbidden = -1e30;

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
        var type = query.dtype;
        (query, key, value) = (query.Widened(), key?.Widened(), value?.Widened());
        (cosine, sine) = (cosine?.to_type(query.dtype), sine?.to_type(query.dtype));
        long queries = (long)shape.Heads * shape.HeadSize,
            width = (long)shape.KeyValueHeads * shape.HeadSize;
        if (shape.Joint)
            (query, key, value) = (
                query.narrow(-1, 0, queries),
                query.narrow(-1, queries, width),
                query.narrow(-1, queries + width, width)
            );
        var q = Turned(Heads(query, shape.Heads, shape), cosine, sine, shape.Turned).mul(shape.Scale);
        var k = Turned(Heads(key!, shape.KeyValueHeads, shape), cosine, sine, shape.Turned);
        var v = Heads(value!, shape.KeyValueHeads, shape);
        // [B,H_kv,G·T,Dh]: a group's queries below each other.
        var rows = q.transpose(1, 2).reshape(shape.Batch, shape.KeyValueHeads, shape.Group * shape.Length, shape.HeadSize);
        var scores = rows.matmul(k.transpose(1, 2).transpose(2, 3));
        if (shape.SoftCap > 0)
            scores = scores.div(shape.SoftCap).tanh().mul(shape.SoftCap);
        var table = scores.view(shape.Batch, shape.KeyValueHeads, shape.Group, shape.Length, shape.Length) + Mask(shape, visible, query);
        var weights = table.softmax(-1).view(shape.Batch, shape.KeyValueHeads, shape.Group * shape.Length, shape.Length);
        return weights
            .matmul(v.transpose(1, 2))
            .view(shape.Batch, shape.Heads, shape.Length, shape.HeadSize)
            .transpose(1, 2)
            .reshape(shape.Batch, shape.Length, queries)
            .to_type(type)
            .MoveToOuterDisposeScope();
    }

    private static Tensor Heads(Tensor x, int heads, AttentionShape shape) => x.reshape(shape.Batch, shape.Length, heads, shape.HeadSize);

    private static Tensor Turned(Tensor heads, Tensor? cosine, Tensor? sine, int turned)
    {
        if (turned == 0)
            return heads;
        var (batch, length, count, size) = (heads.size(0), heads.size(1), heads.size(2), heads.size(3));
        var pairs = heads.narrow(-1, 0, turned).reshape(batch, length, count, 2, turned / 2);
        var result = (pairs * cosine! + pairs.flip(3) * sine!).reshape(batch, length, count, turned);
        return turned == size ? result : cat([result, heads.narrow(-1, turned, size - turned)], -1);
    }

    private static Tensor Mask(AttentionShape shape, VisibleKeys visible, Tensor like)
    {
        var (batch, length) = (shape.Batch, shape.Length);
        var mask = new double[(long)batch * length * length];
        Array.Fill(mask, Forbidden);
        for (var row = 0; row < batch; row++)
        for (var i = 0; i < length; i++)
        for (var j = visible.First(row, i); j <= i; j++)
        {
            if (visible.Sees(row, i, j))
                mask[((long)row * length + i) * length + j] = 0;
        }
        return tensor(mask).view(batch, 1, 1, length, length).to_type(like.dtype);
    }
}
