using PostTrain.Training.Optimizers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PostTrain.Training.Distributed;

/// <summary>An optimiser whose state is shared out among the ranks: each updates the parameters that it owns, and gets the others from
/// their owners (Rajbhandari et al. 2020, arXiv:1910.02054, section 5.1).</summary>
internal sealed class ShardedOptimizer : IParameterOptimizer
{
    private readonly ICollectives collectives;
    private readonly IParameterOptimizer? own;
    private readonly Parameter[] parameters;
    private readonly int[] owners;
    private readonly RemoteState?[] remote;

    /// <param name="ranks">The ranks.</param>
    /// <param name="groups">All groups; those of a rank are made of its own parameters.</param>
    /// <param name="owners">Rank of each parameter, in the groups' order.</param>
    /// <param name="create">Makes the optimiser of a rank's groups.</param>
    internal ShardedOptimizer(
        Ranks ranks,
        IReadOnlyList<ParameterGroup> groups,
        int[] owners,
        Func<IReadOnlyList<ParameterGroup>, IParameterOptimizer> create
    )
    {
        (collectives, this.owners) = (ranks.Collectives!, owners);
        parameters = [.. groups.SelectMany(group => group.Parameters)];
        int next = 0;
        ParameterGroup[] mine =
        [
            .. groups
                .Select(group => group with { Parameters = [.. group.Parameters.Where(_ => owners[next++] == ranks.Rank)] })
                .Where(group => group.Parameters.Count > 0),
        ];
        own = mine.Length == 0 ? null : create(mine);
        var states = new Queue<IParameterState>(own?.States ?? []);
        var all = owners.Select(owner => owner == ranks.Rank ? states.Dequeue() : null).ToArray();
        var layouts = Layouts(ranks, all);
        remote = [.. layouts.Select((layout, i) => all[i] is null ? new RemoteState(layout, parameters[i].device) : null)];
        States = [.. all.Select((state, i) => state ?? remote[i]!)];
    }

    public IReadOnlyList<IParameterState> States { get; }

    /// <summary>Bytes of the state that this rank holds.</summary>
    internal long OwnBytes =>
        own?.States.Sum(state => state.Tensors.Sum(item => item.Tensor.NumberOfElements * item.Tensor.ElementSize)) ?? 0;

    public void ZeroGradients()
    {
        own?.ZeroGradients();
        for (int i = 0; i < parameters.Length; i++)
            if (owners[i] != collectives.Rank)
                parameters[i].grad = null;
    }

    public void Update(double rate)
    {
        own?.Update(rate);
        GradientSums.Broadcast(collectives, parameters, owners);
    }

    /// <summary>Gives rank 0 the whole state while a checkpoint is written.</summary>
    /// <param name="write">Called on all ranks when it is there.</param>
    internal T WithAll<T>(Func<T> write)
    {
        using var mode = no_grad();
        try
        {
            for (int i = 0; i < States.Count; i++)
                Collect(i);
            return write();
        }
        finally
        {
            foreach (var state in remote)
                state?.Release();
        }
    }

    /// <summary>Gives a checkpoint room for the whole state while it is read; what is not this rank's goes again.</summary>
    internal T WithRoom<T>(Func<T> read)
    {
        try
        {
            foreach (var state in remote)
                state?.Allocate();
            return read();
        }
        finally
        {
            foreach (var state in remote)
                state?.Release();
        }
    }

    public void Dispose() => own?.Dispose();

    // From its owner to rank 0; the others only take part.
    private void Collect(int i)
    {
        using var scope = NewDisposeScope();
        using var updates = tensor(new[] { States[i].Updates });
        collectives.Broadcast(updates, owners[i]);
        States[i].Updates = updates.ToInt64();
        if (owners[i] == 0)
            return;
        if (remote[i] is { } state)
            state.Allocate();
        foreach (var (_, kept) in States[i].Tensors)
            collectives.Broadcast(kept, owners[i]);
        if (collectives.Rank != 0)
            remote[i]?.Release();
    }

    // Names, types and shapes of each parameter's state, of its owner.
    private static (string Name, ScalarType Type, long[] Shape)[][] Layouts(Ranks ranks, IParameterState?[] own)
    {
        var messages = ranks.Exchange(
            "the optimiser's layout",
            writer =>
            {
                foreach (var state in own)
                {
                    writer.Write(state is not null);
                    if (state is null)
                        continue;
                    writer.Write(state.Tensors.Count);
                    foreach (var (name, tensor) in state.Tensors)
                    {
                        writer.Write(name);
                        writer.Write((sbyte)tensor.dtype);
                        writer.Write(tensor.shape.Length);
                        foreach (long size in tensor.shape)
                            writer.Write(size);
                    }
                }
            }
        );
        var layouts = new (string, ScalarType, long[])[own.Length][];
        foreach (var message in messages)
        {
            using var reader = Ranks.Reader(message);
            for (int i = 0; i < own.Length; i++)
            {
                if (!reader.ReadBoolean())
                    continue;
                layouts[i] = new (string, ScalarType, long[])[reader.ReadInt32()];
                for (int k = 0; k < layouts[i].Length; k++)
                {
                    var (name, type) = (reader.ReadString(), (ScalarType)reader.ReadSByte());
                    var shape = new long[reader.ReadInt32()];
                    for (int d = 0; d < shape.Length; d++)
                        shape[d] = reader.ReadInt64();
                    layouts[i][k] = (name, type, shape);
                }
            }
        }
        return layouts;
    }
}
