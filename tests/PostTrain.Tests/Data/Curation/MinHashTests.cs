using PostTrain.Data.Curation;

namespace PostTrain.Tests.Data.Curation;

/// <summary>MinHash's estimate and the search by bands, against what probability theory says.</summary>
public sealed class MinHashTests
{
    private const int Seeds = 400;

    // The estimate is a mean of k independent Bernoulli(J): unbiased, with the variance J(1−J)/k. Over 400 seeds the mean is within 4
    // standard errors, and 399·s²/σ² within 4 standard deviations, √(2·399), of 399.
    [Theory]
    [InlineData(2, 64)]
    [InlineData(5, 64)]
    [InlineData(8, 256)]
    public void Estimate_HasTheErrorOfTheLaw(int common, int hashes)
    {
        // Single-token shingles: 10 tokens each, some in common.
        string left = Tokens(0, 10),
            right = Tokens(10 - common, 10);
        double jaccard = common / (20.0 - common);
        Assert.Equal(jaccard, MinHash.Jaccard(left, right, shingleSize: 1), 1e-12);
        double[] estimates =
        [
            .. Enumerable
                .Range(0, Seeds)
                .Select(seed =>
                {
                    var options = new MinHashOptions
                    {
                        Hashes = hashes,
                        Bands = 8,
                        ShingleSize = 1,
                        Seed = (ulong)seed,
                    };
                    return MinHash.Similarity(MinHash.Signature(left, options), MinHash.Signature(right, options));
                }),
        ];
        double mean = estimates.Average(),
            variance = estimates.Sum(value => (value - mean) * (value - mean)) / (Seeds - 1),
            law = jaccard * (1 - jaccard) / hashes;
        Assert.InRange(mean, jaccard - (4 * Math.Sqrt(law / Seeds)), jaccard + (4 * Math.Sqrt(law / Seeds)));
        double spread = 4 * Math.Sqrt(2.0 / (Seeds - 1));
        Assert.InRange(variance / law, 1 - spread, 1 + spread);
    }

    // With b bands of r hashes a pair is a candidate with probability 1 − (1 − J^r)^b: J = ½, r = 4, b = 8 gives 0.403.
    [Fact]
    public void Bands_FindAPairWithTheProbabilityOfTheLaw()
    {
        string left = Tokens(0, 15),
            right = Tokens(5, 15);
        double jaccard = MinHash.Jaccard(left, right, shingleSize: 1),
            law = 1 - Math.Pow(1 - Math.Pow(jaccard, 4), 8);
        Assert.Equal(0.5, jaccard, 1e-12);
        int found = Enumerable
            .Range(0, Seeds)
            .Count(seed =>
            {
                var search = new NearDuplicates(
                    new MinHashOptions
                    {
                        Hashes = 32,
                        Bands = 8,
                        ShingleSize = 1,
                        Threshold = 0.5,
                        Seed = (ulong)seed,
                    }
                );
                return search.Add(left) is null && search.Add(right) is not null;
            });
        double error = Math.Sqrt(law * (1 - law) / Seeds);
        Assert.InRange(found / (double)Seeds, law - (4 * error), law + (4 * error));
    }

    [Fact]
    public void Signatures_AreTheSameEverywhere()
    {
        // Of a text without tokens nothing is known; equal texts have equal signatures, in any process.
        Assert.Equal(1, MinHash.Jaccard("", "  "), 0.0);
        Assert.Equal(MinHash.Signature("The  Sum of 2"), MinHash.Signature("the sum of 2"));
        Assert.Throws<ArgumentOutOfRangeException>(() => MinHash.Signature("x", new MinHashOptions { Hashes = 10, Bands = 3 }));
        Assert.Throws<ArgumentException>(() => MinHash.Similarity([1], [1, 2]));
    }

    private static string Tokens(int first, int count) => string.Join(' ', Enumerable.Range(first, count).Select(i => $"t{i}"));
}
