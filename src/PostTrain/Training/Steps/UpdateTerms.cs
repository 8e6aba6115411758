using PostTrain.Models;
using PostTrain.Numerics;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Training;

/// <summary>The update terms of a run: those of the modules that are trained, then those of the options.</summary>
internal sealed class UpdateTerms
{
    private readonly IUpdateTerm[] terms;
    private long updates;

    internal UpdateTerms(nn.Module model, TrainingOptions options)
    {
        // Modules that two parts of a model share are listed twice.
        terms =
        [
            .. model
                .named_modules()
                .Select(item => item.module)
                .Prepend(model)
                .OfType<IUpdateTermSource>()
                .SelectMany(source => source.UpdateTerms)
                .Concat(options.Terms)
                .Distinct(ReferenceEqualityComparer.Instance)
                .Cast<IUpdateTerm>(),
        ];
    }

    /// <summary>True for a run without terms.</summary>
    internal bool IsEmpty => terms.Length == 0;

    /// <summary>Tells every term the number of updates of the run, once for each number.</summary>
    internal void Begin(long count)
    {
        if (count == updates)
            return;
        updates = count;
        foreach (var term in terms)
            term.Begin(count);
    }

    /// <summary>The terms' tensors for checkpoints, with names of their own.</summary>
    internal IEnumerable<(string Name, Tensor Tensor)> State =>
        terms.SelectMany((term, i) => term.State.Select(item => ($"term.{i}.{term.Name}.{item.Name}", item.Tensor)));

    /// <summary>Adds the gradients of all penalties and returns their values by name; those of one name are added up.</summary>
    internal Dictionary<string, double> AddPenalties()
    {
        var values = new Dictionary<string, double>(StringComparer.Ordinal);
        foreach (var term in terms)
        {
            using var scope = NewDisposeScope();
            if (term.Penalty() is not { } penalty)
                continue;
            if (penalty.NumberOfElements != 1 || !penalty.requires_grad)
                throw new InvalidOperationException(
                    $"the penalty '{term.Name}' is [{string.Join(", ", penalty.shape)}] "
                        + $"{(penalty.requires_grad ? "with" : "without")} a gradient, expected a scalar that depends on trained parameters"
                );
            penalty.sum().backward();
            values[term.Name] = values.GetValueOrDefault(term.Name) + penalty.ToDouble();
        }

        return values;
    }

    /// <summary>Calls every term's action after the optimiser's step.</summary>
    internal void AfterUpdate(long update, double learningRate)
    {
        foreach (var term in terms)
        {
            using var scope = NewDisposeScope();
            term.AfterUpdate(new UpdateMoment(update, updates, learningRate));
        }
    }
}
