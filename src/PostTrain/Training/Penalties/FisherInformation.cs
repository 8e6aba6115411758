using PostTrain.Data.Batches;
using PostTrain.Models;
using PostTrain.Models.Heads;
using PostTrain.Numerics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Penalties;

/// <summary>The diagonal of the Fisher information of a language model's parameters, per token: how much each parameter decides about the
/// model's own predictions.</summary>
/// <remarks>
/// F_i = (1/N) Σ_n Σ_v π(v|c_n) (∂ log π(v|c_n)/∂θ_i)² over the N contexts c_n of the learnt tokens. The expectation is over the model's
/// own
/// predictions v. The "empirical Fisher", which puts the data's tokens in their place, is another quantity: it is 0 where the data are
/// fitted, whatever the parameters decide there (Kunstner, Balles and Hennig 2019, arXiv:1905.12558).
/// </remarks>
public sealed class FisherInformation : IDisposable
{
    private FisherInformation(Dictionary<string, Tensor> values) => Values = values;

    /// <summary>The diagonal by the parameters' names; each of its parameter's shape, at least 0. They belong to this object.</summary>
    public IReadOnlyDictionary<string, Tensor> Values { get; }

    /// <summary>Takes values of another estimate.</summary>
    /// <param name="values">The diagonal by the parameters' names, not negative; copied.</param>
    /// <exception cref="ArgumentException">A value is negative or not finite; names the parameter.</exception>
    public static FisherInformation Of(IReadOnlyDictionary<string, Tensor> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        using var mode = no_grad();
        foreach (var (name, value) in values)
        {
            using var scope = NewDisposeScope();
            Guard.Floating(value, name);
            if (value.numel() > 0 && !(value.isfinite().all().ToBoolean() && value.min().ToDouble() >= 0))
                throw new ArgumentException(
                    $"values holds a negative or infinite number or NaN for '{name}', expected none",
                    nameof(values)
                );
        }
        return new FisherInformation(
            values.ToDictionary(item => item.Key, item => item.Value.detach().clone().DetachFromDisposeScope(), StringComparer.Ordinal)
        );
    }

    /// <summary>Computes the expectation exactly: one backward pass for each context and each token of the vocabulary, N·V in all. For
    /// small models and vocabularies.</summary>
    /// <param name="model">Its parameters that require a gradient count. It is run without dropout.</param>
    /// <param name="data">The contexts are those of the learnt tokens, at least one.</param>
    /// <param name="cancellation">Checked before each context.</param>
    /// <exception cref="ArgumentException">No token is learnt, or no parameter is trained.</exception>
    public static FisherInformation Exact(CausalLm model, SequenceBatch data, CancellationToken cancellation = default) =>
        Estimate(
            model,
            data,
            (logProbs, _) =>
            {
                var probabilities = logProbs.detach().exp().to_type(ScalarType.Float64).cpu().data<double>().ToArray();
                return [.. probabilities.Select((probability, token) => (token, probability)).Where(item => item.probability > 0)];
            },
            cancellation
        );

    /// <summary>Estimates the expectation without bias from tokens that the model draws in each context: one backward pass a draw, N·S in
    /// all.</summary>
    /// <param name="model">As in <see cref="Exact"/>.</param>
    /// <param name="data">As in <see cref="Exact"/>.</param>
    /// <param name="samples">S, draws in each context, at least 1.</param>
    /// <param name="seed">Seed of the draws.</param>
    /// <param name="cancellation">As in <see cref="Exact"/>.</param>
    public static FisherInformation Sampled(
        CausalLm model,
        SequenceBatch data,
        int samples,
        ulong seed,
        CancellationToken cancellation = default
    )
    {
        Guard.AtLeast(samples, 1, nameof(samples));
        return Estimate(
            model,
            data,
            (logProbs, context) =>
            {
                var probabilities = logProbs.detach().exp().to_type(ScalarType.Float64).cpu().data<double>().ToArray();
                return
                [
                    .. Enumerable
                        .Range(0, samples)
                        .Select(draw => Drawn(probabilities, CounterRandom.OpenUniform(seed, (ulong)context, (ulong)draw)))
                        .GroupBy(token => token)
                        .Select(group => (group.Key, group.Count() / (double)samples)),
                ];
            },
            cancellation
        );
    }

    /// <summary>Gives the tensors back.</summary>
    public void Dispose()
    {
        foreach (var value in Values.Values)
            value.Dispose();
    }

    private static FisherInformation Estimate(
        CausalLm model,
        SequenceBatch data,
        Func<Tensor, int, (int Token, double Weight)[]> predictions,
        CancellationToken cancellation
    )
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(data);
        var trained = model.named_parameters().Where(item => item.parameter.requires_grad).ToArray();
        if (trained.Length == 0)
            throw new ArgumentException("the model has no parameter that requires a gradient, expected at least one", nameof(model));
        var sums = trained.ToDictionary(
            item => item.name,
            item => zeros_like(item.parameter, dtype: ScalarType.Float64, requires_grad: false).DetachFromDisposeScope(),
            StringComparer.Ordinal
        );
        bool training = model.training;
        model.eval();
        int contexts = 0;
        try
        {
            for (int row = 0; row < data.Rows; row++)
            {
                using var scope = NewDisposeScope();
                var one = data.Part(row, 1).To(BodyParts.DeviceOf(model));
                var places = one.LossMask.view(-1).nonzero().view(-1).cpu().data<long>().ToArray();
                if (places.Length == 0)
                    continue;
                var hidden = model.Hidden(one.Inputs, one.AttentionMask).squeeze(0);
                var logProbs = model.Project(hidden.index_select(0, tensor(places, device: hidden.device))).AtLeastSingle().log_softmax(-1);
                for (int t = 0; t < places.Length; t++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var next = logProbs[t];
                    foreach (var (token, weight) in predictions(next, contexts++))
                        Add(next[token], weight, trained, sums);
                }
            }
            if (contexts == 0)
                throw new ArgumentException("no token of data is learnt, expected at least one", nameof(data));
            using (no_grad())
                foreach (var sum in sums.Values)
                    sum.div_(contexts);
            return new FisherInformation(sums);
        }
        catch
        {
            foreach (var sum in sums.Values)
                sum.Dispose();
            throw;
        }
        finally
        {
            model.zero_grad();
            model.train(training);
        }
    }

    private static void Add(Tensor logProb, double weight, (string name, Parameter parameter)[] trained, Dictionary<string, Tensor> sums)
    {
        using var scope = NewDisposeScope();
        foreach (var (_, parameter) in trained)
            parameter.grad = null;
        logProb.backward(retain_graph: true);
        using var mode = no_grad();
        foreach (var (name, parameter) in trained)
            if (parameter.grad is { } gradient)
                sums[name].add_(gradient.to_type(ScalarType.Float64).square(), weight);
    }

    private static int Drawn(double[] probabilities, double uniform)
    {
        double below = uniform * probabilities.Sum();
        int token = 0;
        while (token < probabilities.Length - 1 && (below -= probabilities[token]) >= 0)
            token++;
        return token;
    }
}
