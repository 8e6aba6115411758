using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Support;

/// <summary>The contract of every tensor function: exactly its results stay alive, and its inputs are not disposed.</summary>
internal static class Ownership
{
    /// <summary>Runs a function and counts this thread's live tensors before and after, outside and inside a scope.</summary>
    /// <param name="function">Returns all tensors that its caller is to own.</param>
    /// <param name="inputs">What the function reads.</param>
    internal static void Check(Func<Tensor[]> function, params Tensor[] inputs)
    {
        for (int round = 0; round < 2; round++)
        {
            long before = Alive;
            var results = function();
            Assert.Equal(results.Length, Alive - before);
            Assert.All(results, result => Assert.False(result.IsInvalid));
            Assert.All(results, result => Assert.DoesNotContain(inputs, input => ReferenceEquals(input, result)));
            foreach (var result in results)
                result.Dispose();
            Assert.Equal(before, Alive);
            Assert.All(inputs, input => Assert.False(input.IsInvalid));
        }
        long outside = Alive;
        using (NewDisposeScope())
        {
            function();
        }
        Assert.Equal(outside, Alive);
    }

    // The thread's own count and not Tensor.TotalCount: tests on other threads and the finaliser change the latter at any time.
    private static long Alive => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
