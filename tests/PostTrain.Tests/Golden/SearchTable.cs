using System.Text.Json;
using PostTrain.Search;

namespace PostTrain.Tests.Golden;

/// <summary>Generator and process reward model of a search case, and what they were asked.</summary>
internal sealed class SearchTable(JsonElement choices, JsonElement scores, int together) : IStepGenerator, ISolutionValue
{
    private readonly Dictionary<string, int> requests = [];

    /// <summary>Each call of the generator.</summary>
    internal List<string> Asked { get; } = [];

    /// <summary>Each call of the reward model.</summary>
    internal List<string> Scored { get; } = [];

    internal static string Describe(IEnumerable<string> prefixes, bool greedy, bool toEnd) =>
        $"{string.Join(" | ", prefixes)} greedy {greedy} to end {toEnd}";

    internal static string Lists(IEnumerable<IEnumerable<string>> lists) =>
        string.Join(" || ", lists.Select(list => string.Join(" | ", list)));

    public ValueTask<IReadOnlyList<SearchStep>> ContinueAsync(IReadOnlyList<StepRequest> asked, CancellationToken cancellation = default)
    {
        Asked.Add(Describe(asked.Select(request => request.Solution.Text), asked[0].Greedy, asked[0].ToEnd));
        Assert.All(asked, request => Assert.Equal((asked[0].Greedy, asked[0].ToEnd), (request.Greedy, request.ToEnd)));
        return ValueTask.FromResult<IReadOnlyList<SearchStep>>([.. asked.Select(Next)]);
    }

    // A text is cut behind every blank line, and each part is scored with what stands before it.
    public ValueTask<IReadOnlyList<double[]>> ScoreAsync(IReadOnlyList<PartialSolution> solutions, CancellationToken cancellation = default)
    {
        Scored.Add(Lists(solutions.Select(solution => solution.Text).Chunk(together)));
        return ValueTask.FromResult<IReadOnlyList<double[]>>([.. solutions.Select(solution => Steps(solution.Text))]);
    }

    private double[] Steps(string text)
    {
        var ends = new List<int>();
        for (var at = text.IndexOf("\n\n", StringComparison.Ordinal); at >= 0; at = text.IndexOf("\n\n", at + 2, StringComparison.Ordinal))
            ends.Add(at + 2);
        if (ends.Count == 0 || ends[^1] < text.Length)
            ends.Add(text.Length);
        return [.. ends.Select(end => scores.GetProperty(text[..end]).GetDouble())];
    }

    // Sampled requests for a text take its choices in turn over the whole run, greedy ones the first.
    private SearchStep Next(StepRequest request)
    {
        var (text, sampled) = (request.Solution.Text, !request.Greedy);
        var written = "";
        while (true)
        {
            var list = choices.GetProperty(text + written);
            var number = sampled ? requests.GetValueOrDefault(text + written) : 0;
            if (sampled)
                requests[text + written] = number + 1;
            var choice = list[number % list.GetArrayLength()];
            written += choice.GetProperty("text").GetString();
            var end = choice.GetProperty("stop").GetString() switch
            {
                "EOS" => StepEnd.Finished,
                "length" => StepEnd.CutOff,
                _ => StepEnd.Open,
            };
            if (!request.ToEnd || end == StepEnd.Finished)
                return new SearchStep(written, end);
            sampled = false;
        }
    }
}
