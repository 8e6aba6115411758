using PostTrain.Data;

namespace PostTrain.Tests.Data;

public sealed class ShuffledOrderTests
{
    /// <summary>Worked out outside .NET: a resumed run must read on where the old version stopped.</summary>
    [Theory]
    [InlineData(5, 42UL, new[] { 3, 1, 4, 0, 2, 1, 0, 3, 2, 4, 4, 2, 1, 3, 0 })]
    [InlineData(8, 1UL, new[] { 1, 2, 3, 4, 6, 0, 5, 7, 2, 6, 1, 3, 5, 4, 0, 7 })]
    public void Order_IsTheSameForEver(int count, ulong seed, int[] expected)
    {
        var order = new ShuffledOrder(count, seed);
        Assert.Equal(expected, Enumerable.Range(0, expected.Length).Select(position => order[position]));
    }

    [Fact]
    public void EachEpoch_HoldsEveryExampleOnce()
    {
        var order = new ShuffledOrder(101, 7);
        for (int epoch = 0; epoch < 5; epoch++)
            Assert.Equal(Enumerable.Range(0, 101), Enumerable.Range(101 * epoch, 101).Select(position => order[position]).Order());
    }

    [Fact]
    public void Position_IsAllThereIsToResumeFrom()
    {
        var forward = new ShuffledOrder(13, 3);
        var expected = Enumerable.Range(0, 60).Select(position => forward[position]).ToArray();
        var backward = new ShuffledOrder(13, 3);
        for (int position = 59; position >= 0; position--)
            Assert.Equal(expected[position], backward[position]);
        Assert.Equal(expected[37], new ShuffledOrder(13, 3)[37]);
        Assert.InRange(forward[long.MaxValue], 0, 12);
    }

    [Fact]
    public void Permutations_AreEquallyLikely()
    {
        // 6 permutations of 3, 12 000 epochs; χ² with 5 degrees of freedom is above 28 in 4 of 100 000 runs.
        var order = new ShuffledOrder(3, 99);
        var seen = new Dictionary<(int, int, int), int>();
        for (long epoch = 0; epoch < 12_000; epoch++)
        {
            var permutation = (order[3 * epoch], order[3 * epoch + 1], order[3 * epoch + 2]);
            seen[permutation] = seen.GetValueOrDefault(permutation) + 1;
        }
        Assert.Equal(6, seen.Count);
        Assert.InRange(seen.Values.Sum(n => (n - 2000.0) * (n - 2000.0) / 2000), 0, 28);
    }

    [Fact]
    public void Seeds_GiveDifferentOrders()
    {
        int[] Order(ulong seed)
        {
            var order = new ShuffledOrder(50, seed);
            return [.. Enumerable.Range(0, 50).Select(position => order[position])];
        }
        Assert.NotEqual(Order(1), Order(2));
        Assert.Equal(Order(1), Order(1));
    }

    [Fact]
    public void Errors_NameTheRange()
    {
        var count = Assert.Throws<ArgumentOutOfRangeException>(() => new ShuffledOrder(0, 1));
        Assert.Equal("count", count.ParamName);
        Assert.Contains("at least 1", count.Message, StringComparison.Ordinal);
        Assert.Equal("position", Assert.Throws<ArgumentOutOfRangeException>(() => new ShuffledOrder(3, 1)[-1]).ParamName);
        Assert.Equal(0, new ShuffledOrder(1, 5)[123]);
    }
}
