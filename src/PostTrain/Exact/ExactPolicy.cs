using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Exact;

/// <summary>Exact log-probabilities, values, gradients and divergences of a policy on a token tree, by enumeration instead of
/// sampling.</summary>
/// <remarks>
/// Use float64. All results are fresh tensors, differentiable in the logits (twice as well), unless stated otherwise. A logit of −∞
/// excludes a token.
/// </remarks>
public static class ExactPolicy
{
    /// <summary>Computes log π(y) of every sequence, [V^D].</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="logits">[Nodes,V].</param>
    /// <exception cref="ArgumentException">The logits do not have shape [Nodes,V].</exception>
    public static Tensor LogProbs(TokenTree tree, Tensor logits)
    {
        CheckLogits(tree, logits, nameof(logits));
        using var scope = NewDisposeScope();
        var logProbs = logits.new_zeros(1);
        foreach (var (start, count) in tree.Levels())
            logProbs = (logProbs.unsqueeze(-1) + logits.narrow(0, start, count).log_softmax(-1)).reshape(-1);
        return logProbs.MoveToOuterDisposeScope();
    }

    /// <summary>Computes log π(y_t | y_&lt;t) of every token of every sequence, [V^D,D]: the input of token losses for a batch that holds
    /// each sequence once.</summary>
    /// <inheritdoc cref="LogProbs"/>
    public static Tensor TokenLogProbs(TokenTree tree, Tensor logits)
    {
        CheckLogits(tree, logits, nameof(logits));
        using var scope = NewDisposeScope();
        // All sequences that share a prefix share its choice.
        var columns = tree.Levels()
            .Select(level =>
                logits
                    .narrow(0, level.Start, level.Count)
                    .log_softmax(-1)
                    .reshape(-1, 1)
                    .expand(level.Count * tree.Vocabulary, tree.Sequences / (level.Count * tree.Vocabulary))
                    .reshape(-1)
            )
            .ToArray();
        return stack(columns, 1).MoveToOuterDisposeScope();
    }

    /// <summary>Computes the probability of reaching each prefix, [Nodes]; 1 for the empty prefix.</summary>
    /// <inheritdoc cref="LogProbs"/>
    public static Tensor Reach(TokenTree tree, Tensor logits)
    {
        CheckLogits(tree, logits, nameof(logits));
        using var scope = NewDisposeScope();
        var reach = logits.new_ones(1);
        var levels = new List<Tensor>();
        foreach (var (start, count) in tree.Levels())
        {
            levels.Add(reach);
            reach = (reach.unsqueeze(-1) * logits.narrow(0, start, count).softmax(-1)).reshape(-1);
        }
        return cat(levels, 0).MoveToOuterDisposeScope();
    }

    /// <summary>Computes J = Σ_y π(y) r(y), a scalar.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="logits">[Nodes,V].</param>
    /// <param name="rewards">r, [V^D].</param>
    /// <exception cref="ArgumentException">A shape does not fit the tree.</exception>
    public static Tensor Objective(TokenTree tree, Tensor logits, Tensor rewards)
    {
        CheckRewards(tree, rewards);
        using var scope = NewDisposeScope();
        return (LogProbs(tree, logits).exp() * rewards).sum().MoveToOuterDisposeScope();
    }

    /// <summary>Computes V, Q and A: the expected reward of each prefix, of each next token, and their difference.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="logits">[Nodes,V].</param>
    /// <param name="rewards">r, [V^D], given at the end of a sequence; no discount.</param>
    /// <exception cref="ArgumentException">A shape does not fit the tree.</exception>
    public static ExactValues Values(TokenTree tree, Tensor logits, Tensor rewards)
    {
        CheckLogits(tree, logits, nameof(logits));
        CheckRewards(tree, rewards);
        using var scope = NewDisposeScope();
        var (values, actions) = (new List<Tensor>(), new List<Tensor>());
        var after = rewards;
        foreach (var (start, count) in tree.Levels().Reverse())
        {
            actions.Insert(0, after.reshape(count, tree.Vocabulary));
            after = (logits.narrow(0, start, count).softmax(-1) * actions[0]).sum(-1);
            values.Insert(0, after);
        }
        var (value, action) = (cat(values, 0), cat(actions, 0));
        return new ExactValues(
            value.MoveToOuterDisposeScope(),
            action.MoveToOuterDisposeScope(),
            (action - value.unsqueeze(-1)).MoveToOuterDisposeScope()
        );
    }

    /// <summary>Computes ∂J/∂logits = P(s)·π(a|s)·A(s,a), [Nodes,V], in closed form: the policy gradient theorem (Sutton et al. 2000,
    /// theorem 1) for softmax policies.</summary>
    /// <inheritdoc cref="Objective"/>
    public static Tensor Gradient(TokenTree tree, Tensor logits, Tensor rewards)
    {
        using var scope = NewDisposeScope();
        return (
            Reach(tree, logits).unsqueeze(-1) * logits.softmax(-1) * Values(tree, logits, rewards).Advantages
        ).MoveToOuterDisposeScope();
    }

    /// <summary>Computes KL(π‖π_ref) between the distributions over sequences, a scalar in nats; infinite if π_ref excludes a sequence that
    /// π does not.</summary>
    /// <param name="tree">The tree.</param>
    /// <param name="logits">[Nodes,V] of π.</param>
    /// <param name="referenceLogits">[Nodes,V] of π_ref; differentiable in these too.</param>
    /// <exception cref="ArgumentException">A shape does not fit the tree.</exception>
    public static Tensor Kl(TokenTree tree, Tensor logits, Tensor referenceLogits)
    {
        CheckLogits(tree, referenceLogits, nameof(referenceLogits));
        using var scope = NewDisposeScope();
        var logProbs = LogProbs(tree, logits);
        var difference = (logProbs - LogProbs(tree, referenceLogits)).masked_fill(logProbs.isneginf(), 0);
        return (logProbs.exp() * difference).sum().MoveToOuterDisposeScope();
    }

    /// <summary>Computes the entropy of the distribution over sequences, a scalar in nats, 0 to D·log V.</summary>
    /// <inheritdoc cref="LogProbs"/>
    public static Tensor Entropy(TokenTree tree, Tensor logits)
    {
        using var scope = NewDisposeScope();
        return Numerics.TokenLogProbs.EntropyOf(LogProbs(tree, logits)).MoveToOuterDisposeScope();
    }

    internal static void CheckLogits(TokenTree tree, Tensor logits, string name)
    {
        Guard.Floating(logits, name);
        if (logits.dim() != 2 || logits.shape[0] != tree.Nodes || logits.shape[1] != tree.Vocabulary)
            throw new ArgumentException(
                $"{name} has shape {Guard.Shape(logits)}, expected [{tree.Nodes}, {tree.Vocabulary}], nodes and vocabulary of the tree",
                name
            );
    }

    internal static void CheckRewards(TokenTree tree, Tensor rewards)
    {
        Guard.Floating(rewards, nameof(rewards));
        if (rewards.dim() != 1 || rewards.shape[0] != tree.Sequences)
            throw new ArgumentException(
                $"rewards has shape {Guard.Shape(rewards)}, expected [{tree.Sequences}], one per sequence of the tree",
                nameof(rewards)
            );
    }
}
