using PostTrain.Operators;
using PostTrain.Tests.Support;
using static TorchSharp.torch;

namespace PostTrain.Tests.Operators;

[Collection("Sequential")]
public sealed class WorkersTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Run_CallsEachPartOnce(int threads)
    {
        var before = get_num_threads();
        try
        {
            set_num_threads(threads);
            foreach (var count in new[] { 0, 1, 2, 3, 1000 })
            {
                var calls = new int[count];
                Workers.Run(count, Workers.ParallelSize, i => Interlocked.Increment(ref calls[i]));
                Assert.All(calls, call => Assert.Equal(1, call));
            }
        }
        finally
        {
            set_num_threads(before);
        }
    }

    [Fact]
    public void Run_RaisesWhatAPartThrows_AndGoesOnWorking()
    {
        var before = get_num_threads();
        try
        {
            set_num_threads(2);
            for (var round = 0; round < 20; round++)
            {
                var error = Record.Exception(() =>
                    Workers.Run(100, Workers.ParallelSize, i => _ = i == 57 ? throw new InvalidOperationException("part 57") : 0)
                );
                var inner = error is AggregateException several ? several.InnerException : error;
                Assert.Equal("part 57", Assert.IsType<InvalidOperationException>(inner).Message);
            }
        }
        finally
        {
            set_num_threads(before);
        }
    }

    [Fact]
    public void Run_FromSeveralThreadsAtOnce_DoesAllParts()
    {
        var sums = new long[4];
        Parallel.For(
            0,
            4,
            caller =>
            {
                for (var round = 0; round < 50; round++)
                {
                    long sum = 0;
                    Workers.Run(64, Workers.ParallelSize, i => Interlocked.Add(ref sum, i));
                    sums[caller] += sum;
                }
            }
        );
        Assert.All(sums, sum => Assert.Equal(50 * 63 * 32, sum));
    }

    [LinuxFact]
    public void TeamOfLibtorch_IsFound()
    {
        using var scope = NewDisposeScope();
        // libtorch is loaded with the first tensor.
        _ = ones(2, 2).mm(ones(2, 2));
        Assert.True(OpenMpTeam.IsPresent);
    }
}
