using PostTrain.Data;

namespace PostTrain.Tests.Data;

public class MixtureTests
{
    private static readonly string[] A = [.. Enumerable.Range(0, 10).Select(i => $"a{i}")],
        B = [.. Enumerable.Range(0, 4).Select(i => $"b{i}")],
        C = ["c0"];

    // min(n, 3000)^(1/τ): 100, 3000, 3000; with τ = 2: 10, √3000, √3000.
    [Fact]
    public void ExamplesProportional_IsTheFormula()
    {
        double root = Math.Sqrt(3000);
        Close([100 / 6100.0, 3000 / 6100.0, 3000 / 6100.0], MixtureWeights.ExamplesProportional([100, 5000, 40_000], cap: 3000));
        Close(
            [10 / (10 + 2 * root), root / (10 + 2 * root), root / (10 + 2 * root)],
            MixtureWeights.ExamplesProportional([100, 5000, 40_000], cap: 3000, temperature: 2)
        );
        Close([1 / 3.0, 1 / 3.0, 1 / 3.0], MixtureWeights.ExamplesProportional([100, 5000, 40_000], temperature: double.PositiveInfinity));
        Close([0.25, 0.75], MixtureWeights.ExamplesProportional([1, 3]));

        static void Close(double[] expected, double[] actual)
        {
            Assert.Equal(expected.Length, actual.Length);
            foreach (var (a, b) in expected.Zip(actual))
                Assert.Equal(a, b, 1e-15);
        }
    }

    [Theory]
    [InlineData(new[] { 1.0, 1, 1 }, 30, new[] { 10, 10, 10 })]
    [InlineData(new[] { 1.0, 1, 1 }, 31, new[] { 11, 10, 10 })] // equal remainders: the earlier first
    [InlineData(new[] { 0.7, 0.2, 0.1 }, 10, new[] { 7, 2, 1 })] // 0.7·10 rounds to 7.000000000000001 or 6.999…
    [InlineData(new[] { 5.0, 3, 1 }, 10, new[] { 6, 3, 1 })] // 5.56, 3.33, 1.11
    [InlineData(new[] { 1.0, 0, 3 }, 8, new[] { 2, 0, 6 })]
    [InlineData(new[] { 0.1, 0.2, 0.7 }, 1_000_000, new[] { 100_000, 200_000, 700_000 })]
    public void Counts_AreExact(double[] weights, int count, int[] expected)
    {
        var mixture = new Mixture<string>([A, B, C], weights, seed: 5, count);
        Assert.Equal(expected, mixture.Counts);
        Assert.Equal(count, mixture.Count);
        if (count > 100)
            return;
        Assert.Equal(expected, new[] { 'a', 'b', 'c' }.Select(name => mixture.Count(example => example[0] == name)));
    }

    [Fact]
    public void Default_IsEveryExampleOnce()
    {
        var mixture = new Mixture<string>([A, B, C], seed: 1);
        Assert.Equal([10, 4, 1], mixture.Counts);
        Assert.Equal(A.Concat(B).Concat(C), mixture.Order());
    }

    [Theory]
    [InlineData(0ul)]
    [InlineData(77ul)]
    public void EverySource_ComesInAPermutationAPass_SpreadEvenly(ulong seed)
    {
        var mixture = new Mixture<string>([A, B, C], [0.6, 0.3, 0.1], seed, count: 100);
        string[] a = [.. mixture.Where(example => example[0] == 'a')];
        Assert.Equal(60, a.Length);
        var passes = a.Chunk(10).ToArray();
        Assert.All(passes, pass => Assert.Equal(A, pass.Order()));
        Assert.Equal(6, passes.Select(pass => string.Join(' ', pass)).Distinct().Count());
        Assert.All(mixture.Where(example => example[0] == 'b').Chunk(4).Take(7), pass => Assert.Equal(B, pass.Order()));
        for (int prefix = 1; prefix <= 100; prefix++)
        {
            int count = mixture.Take(prefix).Count(example => example[0] == 'a');
            // Each source is within one of its own share of the way, and so within two of its share of the prefix.
            Assert.InRange(count, 0.6 * prefix - 2, 0.6 * prefix + 2);
        }
        for (int i = 0; i < mixture.Count; i++)
        {
            var (source, index) = mixture.Origin(i);
            Assert.Equal(mixture[i], new[] { A, B, C }[source][index]);
        }
    }

    [Fact]
    public void Order_IsAFunctionOfTheSeed()
    {
        string Of(ulong seed) => string.Join(' ', new Mixture<string>([A, B], [1, 1], seed, count: 40));
        Assert.Equal(Of(3), Of(3));
        Assert.Equal(20, Enumerable.Range(0, 20).Select(seed => Of((ulong)seed)).Distinct().Count());
    }

    [Fact]
    public void Refusals_NameWhatWasGiven()
    {
        void Refused(string reason, Action action) =>
            Assert.Contains(reason, Assert.ThrowsAny<ArgumentException>(action).Message, StringComparison.Ordinal);
        Refused("sources is empty", () => _ = new Mixture<string>([]));
        Refused("sources[1] holds no example", () => _ = new Mixture<string>([A, []]));
        Refused("1 weights for 2 sources", () => _ = new Mixture<string>([A, B], [1]));
        Refused("weights[1] is NaN", () => _ = new Mixture<string>([A, B], [1, double.NaN]));
        Refused("weights[0] is -1", () => _ = new Mixture<string>([A, B], [-1, 2]));
        Refused("add up to 0", () => _ = new Mixture<string>([A, B], [0, 0]));
        Refused("count", () => _ = new Mixture<string>([A], count: 0));
        Refused("temperature", () => MixtureWeights.ExamplesProportional([1], temperature: 0.5));
        Refused("sizes[1]", () => MixtureWeights.ExamplesProportional([1, 0]));
        Refused("cap", () => MixtureWeights.ExamplesProportional([1], cap: 0));
    }
}
