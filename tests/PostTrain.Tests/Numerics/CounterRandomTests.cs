using PostTrain.Numerics;

namespace PostTrain.Tests.Numerics;

public sealed class CounterRandomTests
{
    /// <summary>Worked out outside .NET. Runs and checkpoints depend on them: they must not change with a version.</summary>
    [Theory]
    [InlineData(0UL, 0UL, 0UL, 0x238275bc38fcbe91UL)]
    [InlineData(1UL, 0UL, 0UL, 0xb18a02f46d8d86c3UL)]
    [InlineData(42UL, 7UL, 3UL, 0x7017364a7f5e7a5eUL)]
    [InlineData(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue, 0x40aa389ba7cc36a4UL)]
    public void Bits_AreTheSameForEver(ulong seed, ulong first, ulong second, ulong expected) =>
        Assert.Equal(expected, CounterRandom.Bits(seed, first, second));

    [Fact]
    public void Uniform_HasTheMomentsOfTheUniformDistribution()
    {
        const int count = 200_000;
        var numbers = Enumerable.Range(0, count).Select(i => CounterRandom.Uniform(3, (ulong)(i / 1000), (ulong)(i % 1000))).ToArray();
        Assert.All(numbers, number => Assert.InRange(number, 0, 1 - 1e-17));
        // Five standard errors: sqrt(1/12/n) and sqrt(1/180/n).
        Assert.Equal(0.5, numbers.Average(), 5 * Math.Sqrt(1.0 / 12 / count));
        Assert.Equal(1.0 / 12, numbers.Average(number => (number - 0.5) * (number - 0.5)), 5 * Math.Sqrt(1.0 / 180 / count));
        double neighbours = numbers.Zip(numbers.Skip(1), (a, b) => (a - 0.5) * (b - 0.5)).Average();
        Assert.Equal(0, neighbours, 5 * Math.Sqrt(1.0 / 144 / count));
        Assert.Equal(count, numbers.Distinct().Count());
    }

    [Fact]
    public void Below_TakesEveryValueEquallyOften()
    {
        const int count = 70_000;
        var seen = new int[7];
        for (int i = 0; i < count; i++)
            seen[CounterRandom.Below(7, 11, (ulong)i)]++;
        // χ² with 6 degrees of freedom: above 30 in 4 of 100 000 runs.
        double expected = count / 7.0;
        Assert.InRange(seen.Sum(n => (n - expected) * (n - expected) / expected), 0, 30);
        Assert.Equal(0, CounterRandom.Below(1, 11, 5));
        Assert.All(Enumerable.Range(0, 1000), i => Assert.InRange(CounterRandom.Below(int.MaxValue, 11, (ulong)i), 0, int.MaxValue - 1));
    }

    [Fact]
    public void OneBitOfSeedOrCounter_ChangesHalfOfTheBits()
    {
        double flips = 0;
        for (int bit = 0; bit < 64; bit++)
        {
            ulong change = 1UL << bit;
            flips += ulong.PopCount(CounterRandom.Bits(5, 6, 7) ^ CounterRandom.Bits(5 ^ change, 6, 7));
            flips += ulong.PopCount(CounterRandom.Bits(5, 6, 7) ^ CounterRandom.Bits(5, 6 ^ change, 7));
            flips += ulong.PopCount(CounterRandom.Bits(5, 6, 7) ^ CounterRandom.Bits(5, 6, 7 ^ change));
        }
        Assert.InRange(flips / (3 * 64), 30, 34);
    }
}
