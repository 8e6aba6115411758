using System.Runtime.CompilerServices;
using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Rollouts;

/// <summary>The sampler as a source. Rows come as soon as they have ended.</summary>
internal sealed class SamplerSource(CausalLm model, ITokenizer tokenizer) : IRolloutSource
{
    public string Name => model.GetName();

    /// <summary>True if this model draws.</summary>
    internal bool Draws(CausalLm other) => ReferenceEquals(model, other);

    public async IAsyncEnumerable<RolloutSample> GenerateAsync(
        RolloutRequest request,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(request);
        var training = model.training;
        model.eval();
        try
        {
            using var decoding = new Decoding(
                model,
                request.Prompts,
                request.Sampling,
                request.Seed,
                tokenizer.PaddingId,
                tokenizer,
                keepsMass: true
            );
            do
            {
                cancellation.ThrowIfCancellationRequested();
                foreach (var row in decoding.Step())
                    if (decoding.IsComplete(row))
                        yield return decoding.Sample(row) with
                        {
                            Version = request.Version,
                        };

                // Lets other work on this thread run.
                await Task.Yield();
            } while (decoding.Continues);
        }
        finally
        {
            model.train(training);
        }
    }
}
