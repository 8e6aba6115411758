using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Tests.Scopes;

public class DisposeScopeTests
{
    [Fact]
    public void Dispose_DisposesWhatIsLeft_AndKeepsWhatMovedOut()
    {
        Tensor kept, lost;
        using (NewDisposeScope())
        {
            kept = ones(2).DetachFromDisposeScope();
            lost = ones(2);
        }
        Assert.True(lost.IsInvalid);
        Assert.Equal(2, kept.sum().ToDouble());
        kept.Dispose();
    }

    [Fact]
    public void MoveToOuter_OfOne_OfThree_OfMany_AndOfAList_MovesEach()
    {
        using var outer = NewDisposeScope();
        Tensor[] tensors;
        using (var inner = NewDisposeScope())
        {
            tensors = [.. Enumerable.Range(0, 9).Select(i => ones(i + 1))];
            inner.MoveToOuter(tensors[0]);
            inner.MoveToOuter(tensors[1], tensors[2], tensors[3]);
            inner.MoveToOuter(tensors[4], tensors[5], tensors[6], tensors[7]);
            inner.MoveToOuter(new List<Tensor> { tensors[8] });
            Assert.Equal(0, inner.DisposablesCount);
        }
        Assert.All(tensors, tensor => Assert.False(tensor.IsInvalid));
        Assert.Equal(9, outer.DisposablesCount);
    }

    [Fact]
    public void Detach_OfMany_LeavesThemToTheCaller()
    {
        Tensor[] tensors;
        using (var scope = NewDisposeScope())
        {
            tensors = [ones(1), ones(1), ones(1), ones(1)];
            scope.Detach(tensors[0], tensors[1], tensors[2], tensors[3]);
        }
        Assert.All(tensors, tensor => Assert.False(tensor.IsInvalid));
        foreach (var tensor in tensors) tensor.Dispose();
    }

    [Fact]
    public void MoveToOuter_WithoutAnOuterScope_Detaches()
    {
        Tensor tensor;
        using (NewDisposeScope()) tensor = ones(1).MoveToOuterDisposeScope();
        Assert.False(tensor.IsInvalid);
        tensor.Dispose();
    }

    [Fact]
    public void DisposeEverythingBut_KeepsWhatIsNamed()
    {
        using var scope = NewDisposeScope();
        var (kept, lost) = (ones(1), ones(1));
        scope.DisposeEverythingBut(kept);
        Assert.False(kept.IsInvalid);
        Assert.True(lost.IsInvalid);
        Assert.True(scope.Contains(kept));
    }

    [Fact]
    public void Dispose_OutOfOrder_LeavesTheInnerScopeWorking()
    {
        var outer = NewDisposeScope();
        var inner = NewDisposeScope();
        outer.Dispose();
        var tensor = ones(1);
        Assert.True(inner.Contains(tensor));
        inner.Dispose();
        Assert.True(tensor.IsInvalid);
        Assert.Null(CurrentDisposeScope);
    }

    [Fact]
    public void Disposing_ATensorOnItsOwn_TakesItOutOfItsScope()
    {
        using var scope = NewDisposeScope();
        var tensors = Enumerable.Range(0, 5).Select(_ => ones(1)).ToArray();
        tensors[1].Dispose();
        Assert.Equal(4, scope.DisposablesCount);
        Assert.Throws<InvalidOperationException>(() => tensors[1].sum());
        Assert.All(tensors.Where((_, i) => i != 1), tensor => Assert.True(scope.Contains(tensor)));
    }
}
