using PostTrain.Models;

namespace PostTrain.Rollouts;

/// <summary>A source of completions: a model in this process, a server, an engine of one's own.</summary>
/// <remarks>Every trainer on rollouts takes one (<c>RolloutOptions.Source</c>). <see cref="RolloutSource"/> makes sources of models and
/// functions; <see cref="RolloutSource.CollectAsync"/> gathers and checks the completions of a request.</remarks>
public interface IRolloutSource
{
    /// <summary>Name in messages, such as the address of a server.</summary>
    string Name { get; }

    /// <summary>Completes prompts. Each completion comes as soon as it is finished, in any order, and each row comes once.</summary>
    /// <remarks>Ends soon after a cancellation. Leaving the enumeration early ends what is still being drawn.</remarks>
    /// <param name="request">Prompts and options.</param>
    /// <param name="cancellation">Cancels the drawing.</param>
    IAsyncEnumerable<RolloutSample> GenerateAsync(RolloutRequest request, CancellationToken cancellation = default);

    /// <summary>Gives the source the policy's weights; it draws with them when the task has ended. A source that shares the policy's
    /// memory, or keeps the weights that it has, need not implement this.</summary>
    /// <param name="policy">Policy with the weights. Not kept.</param>
    /// <param name="version">Number of these weights: optimiser updates made. The completions drawn with them bear it as
    /// <see cref="RolloutSample.Version"/>.</param>
    /// <param name="cancellation">Cancels the delivery.</param>
    Task UpdateAsync(CausalLm policy, long version, CancellationToken cancellation = default) => Task.CompletedTask;
}
