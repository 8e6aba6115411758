using PostTrain.Rollouts;
using PostTrain.Tests.Support;
using PostTrain.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Tests.Training.Asynchronous;

/// <summary>Which groups a step takes, and what is kept of them.</summary>
public sealed class RolloutBacklogTests
{
    /// <summary>Two groups a step, lag 1: four are asked for at first, and the second step must have the last of them.</summary>
    [Fact]
    public void Choose_TakesTheOrderOfArrival_UnlessOthersBecomeTooOld()
    {
        var backlog = new RolloutBacklog(1, 10);
        for (long number = 0; number < 4; number++)
            backlog.Ask(number, 0);
        Assert.Null(backlog.Choose(0, 2, 1));
        Arrive(backlog, 3, 0);
        Assert.Null(backlog.Choose(0, 2, 1));
        Arrive(backlog, 1, 0);
        Arrive(backlog, 2, 0);
        Assert.Equal([3, 1], backlog.Choose(0, 2, 1)!);
        backlog.Consume([3, 1]);
        // Groups 4 and 5 are asked for by the second step; they arrive before 0, but 0 and 2 may not wait.
        backlog.Ask(4, 1);
        backlog.Ask(5, 1);
        Arrive(backlog, 4, 1);
        Arrive(backlog, 5, 1);
        Assert.Null(backlog.Choose(1, 2, 1));
        Arrive(backlog, 0, 0);
        Assert.Equal([2, 0], backlog.Choose(1, 2, 1)!);
        backlog.Consume([2, 0]);
        Assert.Equal([3, 1, 2, 0], backlog.Arrivals);
        Assert.Equal([4, 5], backlog.Choose(2, 2, 1)!);
    }

    /// <summary>Whatever the order of arrival: no group is trained on twice or after more than the lag, and no step waits in
    /// vain.</summary>
    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, 3)]
    [InlineData(3, 1)]
    [InlineData(4, 2)]
    public void Choose_KeepsTheLag_InEveryOrder(int batch, int lag)
    {
        for (int seed = 0; seed < 50; seed++)
        {
            var random = new Random(seed);
            var backlog = new RolloutBacklog(1, 10);
            var asked = new Dictionary<long, long>();
            var under = new List<long>();
            for (long step = 0; step < 12; step++)
            {
                for (long number = backlog.Next; number < (step + lag + 1) * batch; number++)
                {
                    backlog.Ask(number, step);
                    asked[number] = step;
                    under.Add(number);
                }
                long[]? taken;
                while ((taken = backlog.Choose(step, batch, lag)) is null)
                {
                    Assert.True(under.Count > 0, "the step waits in vain");
                    int next = random.Next(under.Count);
                    Arrive(backlog, under[next], asked[under[next]]);
                    under.RemoveAt(next);
                }
                Assert.All(taken, number => Assert.InRange(step - asked[number], 0, lag));
                backlog.Consume(taken);
            }
            Assert.Equal(12 * batch, backlog.Arrivals.Distinct().Count());
        }
    }

    [Fact]
    public void Tensors_BringEverythingBack_AndDamagedOnesAreRefused()
    {
        using var scope = NewDisposeScope();
        var backlog = new RolloutBacklog(1, 10);
        for (long number = 0; number < 3; number++)
            backlog.Ask(number, 0);
        Arrive(backlog, 2, 0);
        Arrive(backlog, 0, 0);
        backlog.Consume([2]);
        var tensors = backlog.Tensors.ToDictionary(item => item.Name, item => item.Tensor);
        var again = new RolloutBacklog(1, 10);
        again.Read(tensors)();
        Assert.Equal([2], again.Arrivals);
        Assert.Equal(3, again.Next);
        Assert.Equal([1], again.Awaited.Select(item => item.Key));
        Assert.Equal(backlog.Group(0).ToJson(), again.Group(0).ToJson());
        void Refused(string name, Tensor with, string message) =>
            Assert.Contains(
                message,
                Assert
                    .Throws<InvalidDataException>(() =>
                        new RolloutBacklog(1, 10).Read(new Dictionary<string, Tensor>(tensors) { [name] = with })
                    )
                    .Message,
                StringComparison.Ordinal
            );
        Refused("asynchronous.issued", tensor(new long[] { 1, 2 }), "expected pairs");
        Refused("asynchronous.arrivals", zeros(2), "expected Int64");
        Refused("asynchronous.finished", tensor("{\"number\":0}\n"u8.ToArray()), "expected a group");
        Refused(
            "asynchronous.finished",
            tensor(
                "{\"number\":7,\"step\":0,\"samples\":[{\"row\":0,\"tokens\":[1],\"logProbs\":[-1],\"finish\":\"stop\"}]}\n"u8.ToArray()
            ),
            "holds group 7"
        );
        Refused(
            "asynchronous.finished",
            tensor(
                "{\"number\":0,\"step\":0,\"samples\":[{\"row\":0,\"tokens\":[11],\"logProbs\":[-1],\"finish\":\"stop\"}]}\n"u8.ToArray()
            ),
            "has the id 11"
        );
        var error = Assert.Throws<InvalidDataException>(() => new RolloutBacklog(1, 10).Read(new Dictionary<string, Tensor>()));
        Assert.Contains("was not asynchronous", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AGroup_IsTheSameToTheLastBit_AfterJson()
    {
        var sample = new RolloutSample(0, [1, 2, 3], [-0.1f, Math.BitDecrement(-1.5), -5e-324], RolloutFinish.Turns)
        {
            Drawn = [true, false, true],
            KeptMass = [0.1 + 0.2, 1, 1],
            Version = 7,
        };
        var again = RolloutGroup.FromJson(new RolloutGroup(3, 2, [sample]).ToJson(), 1, 4);
        Assert.Equal((3, 2), (again.Number, again.Step));
        var copy = Assert.Single(again.Samples);
        Assert.Equal(sample.Tokens, copy.Tokens);
        Assert.Equal(sample.LogProbs.Select(BitConverter.DoubleToInt64Bits), copy.LogProbs.Select(BitConverter.DoubleToInt64Bits));
        Assert.Equal(sample.KeptMass, copy.KeptMass);
        Assert.Equal(sample.Drawn, copy.Drawn);
        Assert.Equal((sample.Finish, sample.Version), (copy.Finish, copy.Version));
    }

    private static void Arrive(RolloutBacklog backlog, long number, long step) =>
        backlog.Arrive(new RolloutGroup(number, step, [new RolloutSample(0, [1], [-1.5], RolloutFinish.Stop)]));
}
