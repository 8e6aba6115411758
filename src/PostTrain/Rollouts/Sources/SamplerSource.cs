using System.Runtime.CompilerServices;
using PostTrain.Models;
using PostTrain.Text;

namespace PostTrain.Rollouts;

/// <summary>The sampler as a source. Rows come as soon as they have ended.</summary>
internal sealed class SamplerSource(CausalLm model, ITokenizer tokenizer) : IRolloutSource
{
    private static readonly ConditionalWeakTable<CausalLm, object> Gates = [];

    public string Name => model.GetName();

    /// <summary>True if this model draws.</summary>
    internal bool Draws(CausalLm other) => ReferenceEquals(model, other);

    public async IAsyncEnumerable<RolloutSample> GenerateAsync(
        RolloutRequest request,
        [EnumeratorCancellation] CancellationToken cancellation = default
    )
    {
        ArgumentNullException.ThrowIfNull(request);
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
            foreach (var sample in Step(decoding))
                yield return sample with
                {
                    Version = request.Version,
                };

            // Lets other work on this thread run.
            await Task.Yield();
        } while (decoding.Continues);
    }

    // Requests may run at once, on several threads: the model takes one step at a time, without dropout.
    private List<RolloutSample> Step(Decoding decoding)
    {
        lock (Gates.GetOrCreateValue(model))
        {
            var training = model.training;
            if (training)
                model.eval();
            try
            {
                return [.. decoding.Step().Where(decoding.IsComplete).Select(decoding.Sample)];
            }
            finally
            {
                if (training)
                    model.train();
            }
        }
    }
}
