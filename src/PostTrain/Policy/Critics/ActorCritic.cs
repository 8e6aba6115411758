using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Rollouts;
using PostTrain.Training.Distributed;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Policy.Critics;

/// <summary>A policy and its critic as one module for optimisers and checkpoints, with parameters <c>policy.…</c> and
/// <c>critic.…</c>.</summary>
/// <remarks>The caller owns both: this module is never disposed.</remarks>
internal sealed class ActorCritic : nn.Module
{
    private readonly CausalLm policy;
    private readonly ValueHead critic;

    private ActorCritic(CausalLm policy, ValueHead critic)
        : base(nameof(ActorCritic))
    {
        (this.policy, this.critic) = (policy, critic);
        register_module("policy", policy);
        register_module("critic", critic);
    }

    internal CausalLm Policy => policy;

    /// <summary>True if one pass through the body serves both.</summary>
    internal bool IsShared => !critic.OwnsBody;

    internal ValueHead Critic => critic;

    /// <summary>Combines policy and critic.</summary>
    /// <param name="policy">Policy.</param>
    /// <param name="critic">Its critic; null creates a head on the policy's body whose values are 0.</param>
    /// <param name="model">The result, for constructors that pass it on.</param>
    /// <exception cref="ArgumentException">The critic belongs to another model, or its body does not accept the policy's ids or
    /// lengths.</exception>
    internal static ActorCritic Of(CausalLm policy, ValueHead? critic, out ActorCritic model)
    {
        ArgumentNullException.ThrowIfNull(policy);
        critic ??= ValueHead.For(policy, new HeadOptions { StandardDeviation = 0 });
        if (critic.OwnsBody == ReferenceEquals(critic.Body, policy))
            throw new ArgumentException(
                $"Critic is a head {(critic.OwnsBody ? "that owns the policy" : "on another model")}, expected "
                    + "ValueHead.For(policy) or ValueHead.WithOwnBody of a second model",
                nameof(critic)
            );
        if (critic.Body.InputVocabularySize < policy.VocabularySize || critic.Body.ContextLength < policy.ContextLength)
            throw new ArgumentException(
                $"the body of Critic reads {critic.Body.InputVocabularySize} ids and {critic.Body.ContextLength} positions, "
                    + $"expected at least the policy's {policy.VocabularySize} and {policy.ContextLength}",
                nameof(critic)
            );
        return model = new ActorCritic(policy, critic);
    }

    /// <summary>Computes log-probs and values with gradients.</summary>
    internal ActorCriticScores Score(RolloutRows rows, SamplingOptions sampling)
    {
        using var scope = NewDisposeScope();
        var hidden = policy.Hidden(rows.Ids, rows.AttentionMask);
        var (logProbs, logits) = CompletionScores.OfHidden(policy, hidden, rows, sampling);
        var values = IsShared ? ValuesOf(hidden, rows) : Values(rows);
        return new ActorCriticScores(
            logProbs.MoveToOuterDisposeScope(),
            logits.MoveToOuterDisposeScope(),
            values.MoveToOuterDisposeScope()
        );
    }

    /// <summary>Computes V as in <see cref="ActorCriticScores.Values"/>; a body shared with the policy gets no gradient.</summary>
    internal Tensor Values(RolloutRows rows)
    {
        using var scope = NewDisposeScope();
        return ValuesOf(CriticStates(rows), rows).MoveToOuterDisposeScope();
    }

    /// <summary>Computes log-probs, [B,T], and values, [B,T+1], of newly sampled completions, without gradients and in evaluation
    /// mode.</summary>
    internal (Tensor LogProbs, Tensor Values) Record(RolloutBatch rollouts, SamplingOptions sampling, int? microBatchSize, Ranks ranks)
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        train(false);
        int all = (int)rollouts.Ids.shape[0],
            size = ranks.PartSize(all, microBatchSize);
        var parts = ranks.EachOf(
            (all + size - 1) / size,
            part =>
            {
                var rows = rollouts.Rows((long)part * size, Math.Min(size, all - part * size));
                // Without a shared body the sampler has already scored the completions.
                if (!IsShared)
                    return [Values(rows)];
                var scores = Score(rows, sampling);
                return [scores.Values, scores.LogProbs];
            }
        );
        train(true);
        return (
            IsShared
                ? cat([.. parts.Select(part => part[1])], 0).MoveToOuterDisposeScope()
                : rollouts.LogProbs.alias().MoveToOuterDisposeScope(),
            cat([.. parts.Select(part => part[0])], 0).MoveToOuterDisposeScope()
        );
    }

    /// <inheritdoc/>
    public override void train(bool train = true)
    {
        base.train(train);
        // A head with its own body registers the body's parts, not the body itself.
        critic.Body.train(train);
    }

    /// <summary>Does nothing: both are registered by name.</summary>
    protected override void RegisterComponents() { }

    private Tensor CriticStates(RolloutRows rows)
    {
        using var mode = IsShared ? no_grad() : null;
        return critic.Body.Hidden(rows.Ids, rows.AttentionMask);
    }

    private Tensor ValuesOf(Tensor hidden, RolloutRows rows)
    {
        long length = rows.Ids.shape[1],
            completion = rows.CompletionMask.shape[1];
        return critic.call(hidden.narrow(1, length - 1 - completion, completion + 1));
    }
}

/// <summary>The scores of completions by policy and critic.</summary>
/// <param name="LogProbs">log π of each token, [B,T], 0 where nothing counts.</param>
/// <param name="Logits">[B,T,V], as in sampling.</param>
/// <param name="Values">V of the state before each token and of the state after the last position, [B,T+1].</param>
internal sealed record ActorCriticScores(Tensor LogProbs, Tensor Logits, Tensor Values);
