using TorchSharp.Utils;
using static TorchSharp.torch;
using static TorchSharp.torch.optim;

#nullable disable

namespace TorchSharp.Modules;

/// <summary>What optimisers share: groups, state, and the frame around a step.</summary>
public abstract class OptimizerHelper : Optimizer
{
    protected OptimizerOptions _defaults;
    protected OrderedDict<nint, OptimizerState> _state = new();

    public OptimizerHelper() : base(0) { }

    public override IEnumerable<Parameter> parameters() => base.parameters();

    public override void zero_grad() => base.zero_grad();

    /// <summary>The settings and the state: the live objects. Copy what shall not change with the next step.</summary>
    public virtual StateDictionary state_dict()
    {
        var dictionary = new StateDictionary();
        foreach (var group in _parameter_groups)
        {
            dictionary.Options.Add(group.Options);
            var positions = new List<int>();
            foreach (var parameter in group.Parameters)
            {
                positions.Add(dictionary.State.Count);
                dictionary.State.Add(_state[parameter.Handle]);
            }
            dictionary.StateIndexRef.Add(positions);
        }
        return dictionary;
    }

    /// <summary>Copies settings and state of an optimiser of the same kind with the same groups.</summary>
    /// <exception cref="ArgumentException">Kinds or numbers differ.</exception>
    public virtual void load_state_dict(StateDictionary state_dict)
    {
        var own = this.state_dict();
        if (state_dict.Options.Count != own.Options.Count)
            throw new ArgumentException($"state_dict: given {state_dict.Options.Count} parameter groups, expected {own.Options.Count}", nameof(state_dict));
        if (state_dict.State.Count != own.State.Count)
            throw new ArgumentException($"state_dict: given the state of {state_dict.State.Count} parameters, expected {own.State.Count}", nameof(state_dict));
        for (int i = 0; i < own.Options.Count; i++)
            if (!ReferenceEquals(own.Options[i], state_dict.Options[i])) own.Options[i].LoadStateDict(state_dict.Options[i]);
        for (int i = 0; i < own.State.Count; i++)
            if (!ReferenceEquals(own.State[i], state_dict.State[i])) own.State[i].LoadStateDict(state_dict.State[i]);
    }

    /// <summary>Moves the state to a device.</summary>
    public void to(Device device)
    {
        foreach (var state in _state.values()) state.to(device);
    }

    public override void add_param_group(ParamGroup param_group)
    {
        Parameter[] parameters = [.. param_group.Parameters];
        foreach (var parameter in parameters)
            if (_state.ContainsKey(parameter.Handle)) throw new ArgumentException("param_group: holds a parameter that the optimiser has already", nameof(param_group));
        param_group.Parameters = parameters;
        param_group.Options.InitialLearningRate = param_group.Options.LearningRate ?? 0;
        _parameter_groups.Add(param_group);
    }

    /// <summary>Runs a step's body for each group: without gradients, in a dispose scope.</summary>
    protected Tensor _step<T>(Action<T> body, Func<Tensor> loss_closure = null) where T : ParamGroup
    {
        Tensor loss = null;
        if (loss_closure is not null)
        {
            using var _ = enable_grad();
            loss = loss_closure();
        }
        using (no_grad())
        using (NewDisposeScope())
            foreach (var group in _parameter_groups) body((T)group);
        return loss;
    }

    // The groups' parameters that have a gradient, with that gradient (turned round to maximise) and their state.
    private protected List<(Parameter Parameter, Tensor Gradient, TState State)> WithGradients<TState>(ParamGroup group, bool maximize) where TState : OptimizerState
    {
        var found = new List<(Parameter, Tensor, TState)>();
        foreach (var parameter in group.Parameters)
            if (parameter.grad is { } gradient) found.Add((parameter, maximize ? -gradient : gradient, (TState)_state[parameter.Handle]));
        return found;
    }

    private protected void DisposeState()
    {
        foreach (var state in _state.values()) (state as IDisposable)?.Dispose();
        _state.Clear();
    }

    private protected static double AtLeastZero(double value, string name) =>
        value >= 0 ? value : throw new ArgumentOutOfRangeException(name, value, "expected zero or more");

    private protected static double DecayRate(double value, string name) =>
        value is >= 0 and < 1 ? value : throw new ArgumentOutOfRangeException(name, value, "expected a rate, 0 up to but not including 1");
}
