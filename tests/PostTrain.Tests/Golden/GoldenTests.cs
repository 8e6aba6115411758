using PostTrain.Operators;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace PostTrain.Tests.Golden;

public sealed class GoldenTests(ITestOutputHelper output)
{
    private static readonly ILookup<(string, string), GoldenCase> ById = GoldenSuite
        .Cases()
        .ToLookup(pair => (pair.Area, pair.Case.Id), pair => pair.Case);

    /// <summary>Area and id of every case that is run.</summary>
    public static TheoryData<string, string> Runnable
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (area, item) in GoldenSuite.Cases())
                if (!GoldenSuite.NotYet.Contains(GoldenSuite.NameOf(area, item)))
                    data.Add(area, item.Id);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Runnable))]
    public void Case_GivesTheReferencesNumbers(string area, string id)
    {
        using var scope = NewDisposeScope();
        var item = Assert.Single(ById[(area, id)]);
        Assert.True(
            GoldenSuite.Areas[area].TryGetValue(item.Kind, out var kind),
            $"{area}.json has cases of the kind {item.Kind}, which no test knows"
        );
        item.Run(kind.Run);
    }

    /// <summary>Area and id of the cases of losses, which have a form in one pass over memory and one of tensor operators.</summary>
    public static TheoryData<string, string> OfLosses
    {
        get
        {
            var data = new TheoryData<string, string>();
            foreach (var (area, item) in GoldenSuite.Cases())
                if (
                    area is "dpo" or "preference" or "reward" or "grpo" or "ppo" or "distill"
                    && GoldenSuite.Areas[area].ContainsKey(item.Kind)
                )
                    data.Add(area, item.Id);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(OfLosses))]
    public void Case_GivesTheReferencesNumbers_ByTensorOperators(string area, string id)
    {
        using var operators = Fused.Reference();
        Case_GivesTheReferencesNumbers(area, id);
    }

    [Fact]
    public void NotYet_NamesOnlyWhatTheFilesHold()
    {
        var names = GoldenSuite.Cases().Select(pair => GoldenSuite.NameOf(pair.Area, pair.Case)).ToHashSet();
        // Another directory may hold a selection; a kind that has a function must leave the list in any case.
        if (Environment.GetEnvironmentVariable("POSTTRAIN_GOLDEN") is null or "")
            Assert.Empty(GoldenSuite.NotYet.Except(names));
        var run = GoldenSuite.Areas.SelectMany(area => area.Value.Keys.Select(kind => $"{area.Key}/{kind}"));
        Assert.Empty(run.Intersect(GoldenSuite.NotYet));
    }

    [Fact]
    public void Counts_AreReported()
    {
        foreach (
            var group in GoldenSuite
                .Cases()
                .GroupBy(pair => GoldenSuite.NameOf(pair.Area, pair.Case))
                .OrderBy(group => group.Key, StringComparer.Ordinal)
        )
            output.WriteLine($"{group.Count(), 4}  {(GoldenSuite.NotYet.Contains(group.Key) ? "not yet" : "run    ")}  {group.Key}");
        Assert.All(
            GoldenSuite.Areas.Keys.Select(GoldenFile.Load).OfType<GoldenFile>(),
            file => Assert.Equal(file.Cases.Count, file.Cases.Select(item => item.Id).Distinct().Count())
        );
    }
}
