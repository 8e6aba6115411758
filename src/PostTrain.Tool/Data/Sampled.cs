using PostTrain.Data;
using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;

namespace PostTrain.Tool;

/// <summary>One answer of a model to each of some problems.</summary>
public static class Sampled
{
    private const int RowsAtOnce = 256;

    /// <summary>Ids that a model can draw and no text stands for: its matrix is often wider than the vocabulary.</summary>
    public static IReadOnlyList<int> WithoutText(CausalLm model, ITokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(tokenizer);
        return [.. Enumerable.Range(tokenizer.VocabularySize, Math.Max(0, model.VocabularySize - tokenizer.VocabularySize))];
    }

    /// <summary>Draws a completion for every problem.</summary>
    public static IReadOnlyList<Completion> Completions(
        CausalLm model,
        ITokenizer tokenizer,
        IReadOnlyList<Problem> problems,
        SamplingOptions sampling,
        ulong seed
    )
    {
        model.eval();
        var drawing = sampling.StoppingAt(model, tokenizer) with { Recording = LogProbRecording.Drawn };
        var completions = new List<Completion>(problems.Count);
        foreach (var chunk in problems.Chunk(RowsAtOnce))
        {
            int[][] prompts = [.. chunk.Select(problem => tokenizer.Encode(problem.Prompt))];
            using var rollouts = Sampler.Generate(model, prompts, drawing, seed + (ulong)completions.Count, tokenizer);
            for (int i = 0; i < chunk.Length; i++)
                completions.Add(
                    new Completion(chunk[i], tokenizer.Decode(rollouts.Completions[i]), rollouts.Completions[i], rollouts.Finished[i])
                );
        }
        return completions;
    }
}
