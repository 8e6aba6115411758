using System.Globalization;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace PostTrain.Benchmarks.Runner;

/// <summary>Ratio of a call's time by tensor operators to its time here.</summary>
/// <param name="Median">Of the pairs' ratios.</param>
/// <param name="Lower">Their first quartile.</param>
/// <param name="Upper">Their third quartile.</param>
/// <param name="Least">Seconds of the fastest sample with closed-form operators.</param>
/// <param name="LeastReference">Seconds of the fastest sample by tensor operators.</param>
/// <param name="Seconds">Median with closed-form operators.</param>
/// <param name="ReferenceSeconds">Median by tensor operators.</param>
/// <param name="Pairs">How many.</param>
internal sealed record PairRatio(
    double Median,
    double Lower,
    double Upper,
    double Least,
    double LeastReference,
    double Seconds,
    double ReferenceSeconds,
    int Pairs
)
{
    public JsonObject Line(string id, string size, int threads, bool kept, ScalarType type) =>
        new()
        {
            ["id"] = id,
            ["size"] = size,
            ["dtype"] = type.ToString().ToLowerInvariant(),
            ["threads"] = threads,
            ["source"] = "posttrain",
            ["ratio"] = Median,
            ["ratio_quartiles"] = new JsonArray(Lower, Upper),
            ["min_s"] = Least,
            ["reference_min_s"] = LeastReference,
            ["median_s"] = Seconds,
            ["reference_median_s"] = ReferenceSeconds,
            ["n"] = Pairs,
            ["heap"] = kept ? "kept" : "default",
        };

    public override string ToString() =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Median:F2} times ({Lower:F2} to {Upper:F2}), {Least * 1e3:F2} against {LeastReference * 1e3:F2} ms at best, {Pairs} pairs"
        );
}
