using static TorchSharp.torch;

namespace PostTrain.Models;

/// <summary>Makes update terms of functions.</summary>
public static class UpdateTerm
{
    /// <summary>Returns a term of a penalty, an action, or both.</summary>
    /// <param name="name">Name for metrics and messages.</param>
    /// <param name="penalty">Scalar that is added to the loss once in each update; tensors that it makes belong to the dispose scope
    /// around the call. Null for none.</param>
    /// <param name="afterUpdate">Called after the optimiser's step; null for none.</param>
    /// <exception cref="ArgumentException">The name is empty, or both functions are null.</exception>
    public static IUpdateTerm Of(string name, Func<Tensor>? penalty = null, Action<UpdateMoment>? afterUpdate = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        if (penalty is null && afterUpdate is null)
            throw new ArgumentException($"the term '{name}' has neither penalty nor afterUpdate, expected at least one", nameof(penalty));
        return new FunctionTerm(name, penalty, afterUpdate);
    }

    private sealed class FunctionTerm(string name, Func<Tensor>? penalty, Action<UpdateMoment>? afterUpdate) : IUpdateTerm
    {
        public string Name => name;

        public Tensor? Penalty() => penalty?.Invoke();

        public void AfterUpdate(UpdateMoment moment) => afterUpdate?.Invoke(moment);
    }
}
