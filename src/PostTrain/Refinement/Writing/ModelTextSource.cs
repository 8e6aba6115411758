using PostTrain.Models;
using PostTrain.Rewards;
using PostTrain.Rollouts;
using PostTrain.Text;
using TorchSharp;

namespace PostTrain.Refinement.Writing;

/// <summary>Texts from a local model.</summary>
internal sealed class ModelTextSource(CausalLm model, ITokenizer tokenizer, SamplingOptions sampling, int rows)
    : ITextSource,
        IEndsWhenCancelled
{
    public Task<IReadOnlyList<SourcedText>> CompleteAsync(
        IReadOnlyList<MarkedText> prompts,
        TextRequest request,
        CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(prompts);
        ArgumentNullException.ThrowIfNull(request);
        request.Validated();
        int most = Math.Clamp(model.ContextLength / 2, 1, request.MaxTokens);
        var drawing = (
            sampling with
            {
                Temperature = request.Temperature,
                TopP = request.TopP,
                MaxNewTokens = most,
                StopStrings = [.. sampling.StopStrings, .. request.StopStrings],
                Recording = LogProbRecording.Drawn,
            }
        ).StoppingAt(model, tokenizer);
        int[][] ids = [.. prompts.Select(prompt => Fitting(tokenizer.Encode(prompt), model.ContextLength - most))];
        bool training = model.training;
        model.eval();
        try
        {
            var texts = new List<SourcedText>(ids.Length);
            for (int first = 0; first < ids.Length; first += rows)
            {
                using var rollouts = Sampler.Generate(
                    model,
                    [.. ids.Skip(first).Take(rows)],
                    drawing with
                    {
                        FirstRow = first,
                    },
                    request.Seed,
                    tokenizer,
                    cancellation
                );
                for (int row = 0; row < rollouts.Completions.Count; row++)
                {
                    string text = TextSource.Before(tokenizer.Decode(rollouts.Completions[row]), drawing.StopStrings, out bool stopped);
                    texts.Add(new SourcedText(text, stopped || rollouts.Finished[row]));
                }
            }
            return Task.FromResult<IReadOnlyList<SourcedText>>(texts);
        }
        finally
        {
            if (training)
                model.train();
        }
    }

    // A text source continues what stands last.
    private static int[] Fitting(int[] ids, int most) => ids.Length <= most ? ids : ids[^most..];
}
