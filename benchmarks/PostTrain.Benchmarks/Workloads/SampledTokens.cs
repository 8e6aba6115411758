using PostTrain.Benchmarks.Workloads.Models;
using PostTrain.Rollouts;

namespace PostTrain.Benchmarks.Workloads;

/// <summary><see cref="Sampler"/> on prompts of 16 tokens: 48 drawn for each at temperature 1; MODEL/bB for B prompts.</summary>
internal sealed class SampledTokens : IWorkload
{
    private const int Prompt = 16,
        Tokens = 48;

    public string Id => "G.sample";

    public IReadOnlyList<string> Sizes { get; } =
    [.. BenchmarkModel.Names.SelectMany(_ => new[] { 1, 8, 32 }, (name, rows) => $"{name}/b{rows}")];

    public string? Missing(string size) => BenchmarkModel.Of(Parts(size).Model).Missing;

    public Call Setup(string size, Inputs inputs)
    {
        var (name, rows) = Parts(size);
        var model = BenchmarkModel.Of(name).Load(inputs.ModelType);
        model.eval();
        var work = new ModelWork(model);
        var prompts = StepRows.Of(inputs, rows, Prompt, model.VocabularySize);
        // The log-probs of another pass are not part of the work.
        var options = new SamplingOptions { MaxNewTokens = Tokens, Recording = LogProbRecording.Drawn };
        ulong seed = 0;
        return new(
            () => Sampler.Generate(model, prompts, options, seed++, paddingId: 0).Dispose(),
            work.Generation(rows, Prompt, Tokens),
            model.TokenEmbeddings.element_size() * work.Weights * Tokens,
            "tokens/s",
            rows * Tokens
        )
        {
            Type = inputs.ModelType,
            Owned = [model],
        };
    }

    // "260k/b8"
    private static (string Model, int Rows) Parts(string size) =>
        size.Split("/b") is [var model, var rows]
            ? (model, int.Parse(rows, System.Globalization.CultureInfo.InvariantCulture))
            : throw new FormatException($"{size}: expected MODEL/bB");
}
