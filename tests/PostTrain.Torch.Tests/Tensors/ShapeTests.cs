using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Tensors;

public class ShapeTests
{
    // 0 1 2 over 3 4 5.
    private static Tensor X => arange(6).view(2, 3);

    public static TheoryData<string, Func<Tensor, Tensor>, long[], long[]> Values => new()
    {
        { "view", x => x.view(3, -1), [3, 2], [0, 1, 2, 3, 4, 5] },
        { "reshape of transpose", x => x.t().reshape(6), [6], [0, 3, 1, 4, 2, 5] },
        { "transpose", x => x.transpose(0, 1), [3, 2], [0, 3, 1, 4, 2, 5] },
        { "T", x => x.T, [3, 2], [0, 3, 1, 4, 2, 5] },
        { "mT", x => x.mT, [3, 2], [0, 3, 1, 4, 2, 5] },
        { "permute", x => x.permute(1, 0), [3, 2], [0, 3, 1, 4, 2, 5] },
        { "unsqueeze, squeeze", x => x.unsqueeze(-1).unsqueeze(0).squeeze(0), [2, 3, 1], [0, 1, 2, 3, 4, 5] },
        { "squeeze all", x => x.view(1, 2, 1, 3).squeeze(), [2, 3], [0, 1, 2, 3, 4, 5] },
        { "expand", x => x[0].unsqueeze(1).expand(-1, 2), [3, 2], [0, 0, 1, 1, 2, 2] },
        { "expand_as", x => x[0].expand_as(x), [2, 3], [0, 1, 2, 0, 1, 2] },
        { "broadcast_to", x => x[0].broadcast_to(2, 3), [2, 3], [0, 1, 2, 0, 1, 2] },
        { "flatten", x => x.unsqueeze(0).flatten(1), [1, 6], [0, 1, 2, 3, 4, 5] },
        { "unflatten", x => x.flatten().unflatten(0, 3, 2), [3, 2], [0, 1, 2, 3, 4, 5] },
        { "narrow", x => x.narrow(1, 1, 2), [2, 2], [1, 2, 4, 5] },
        { "select", x => x.select(1, -1), [2], [2, 5] },
        { "slice", x => x.slice(1, 0, 3, 2), [2, 2], [0, 2, 3, 5] },
        { "movedim", x => x.unsqueeze(0).movedim([0], [2]), [2, 3, 1], [0, 1, 2, 3, 4, 5] },
        { "cat", x => cat([x, x[..1]], 0), [3, 3], [0, 1, 2, 3, 4, 5, 0, 1, 2] },
        { "stack", x => stack([x[0], x[1]], 1), [3, 2], [0, 3, 1, 4, 2, 5] },
        { "hstack", x => hstack(x, x[.., ..1]), [2, 4], [0, 1, 2, 0, 3, 4, 5, 3] },
        { "chunk", x => x.chunk(2, 1)[1], [2, 1], [2, 5] },
        { "split", x => x.split(2, 1)[0], [2, 2], [0, 1, 3, 4] },
        { "split sizes", x => x.split([1L, 2L], 1)[1], [2, 2], [1, 2, 4, 5] },
        { "unbind", x => x.unbind(1)[1], [2], [1, 4] },
        { "repeat", x => x[0].repeat(2, 2), [2, 6], [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2] },
        { "repeat_interleave", x => x[0].repeat_interleave(2), [6], [0, 0, 1, 1, 2, 2] },
        { "tile", x => x[0].tile([2]), [6], [0, 1, 2, 0, 1, 2] },
        { "flip", x => x.flip(1), [2, 3], [2, 1, 0, 5, 4, 3] },
        { "roll", x => x.roll(1, 1), [2, 3], [2, 0, 1, 5, 3, 4] },
        { "roll flat", x => x.roll(1), [2, 3], [5, 0, 1, 2, 3, 4] },
        { "rot90", x => x.rot90(), [3, 2], [2, 5, 1, 4, 0, 3] },
        { "tril", x => (x + 1).tril(), [2, 3], [1, 0, 0, 4, 5, 0] },
        { "triu", x => (x + 1).triu(1), [2, 3], [0, 2, 3, 0, 0, 6] },
        { "diag", x => x[0].diag(), [3, 3], [0, 0, 0, 0, 1, 0, 0, 0, 2] },
        { "diagonal", x => x.diagonal(1), [2], [1, 5] },
        { "unfold", x => x[0].unfold(0, 2, 1), [2, 2], [0, 1, 1, 2] },
        { "meshgrid", x => meshgrid([x[0], x[0, ..2]])[0], [3, 2], [0, 0, 1, 1, 2, 2] },
        { "contiguous", x => x.t().contiguous(), [3, 2], [0, 3, 1, 4, 2, 5] },
    };

    [Theory]
    [MemberData(nameof(Values))]
    public void Rearranged_IsAsWorkedByHand(string what, Func<Tensor, Tensor> function, long[] shape, long[] expected)
    {
        using var scope = NewDisposeScope();
        var result = function(X);
        Assert.True(shape.SequenceEqual(result.shape), $"{what}: shape [{string.Join(", ", result.shape)}]");
        Assert.Equal(expected, result.data<long>().ToArray());
    }

    [Fact]
    public void Expand_TakesNoMemory() => Assert.Equal([0L, 1], zeros(3).expand(4, 3).stride());

    [Fact]
    public void Squeeze_InPlace_ChangesTheShapeOfTheSameObject()
    {
        using var x = zeros(1, 3);
        Assert.Same(x, x.squeeze_(0));
        Assert.Equal([3L], x.shape);
    }
}
