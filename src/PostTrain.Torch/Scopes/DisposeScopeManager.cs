namespace TorchSharp;

/// <summary>The stack of dispose scopes of one thread.</summary>
public class DisposeScopeManager
{
    [ThreadStatic] private static DisposeScopeManager? current;

    internal static DisposeScopeManager Current => current ??= new DisposeScopeManager();

    /// <summary>What this thread created and disposed, inside and outside of scopes.</summary>
    public static ThreadDisposeScopeStatistics Statistics => Current.Counts;

    internal ThreadDisposeScopeStatistics Counts { get; } = new();

    internal DisposeScope? Innermost { get; private set; }

    internal DisposeScope Begin() => Innermost = new DisposeScope(this, Innermost);

    /// <summary>A new object enters the innermost scope, if there is one.</summary>
    internal void Register(IScoped created)
    {
        Counts.OnCreated(created, Innermost is not null);
        Innermost?.Add(created);
    }

    internal void Remove(DisposeScope scope)
    {
        if (ReferenceEquals(Innermost, scope))
        {
            Innermost = scope.Outer;
            return;
        }
        // Disposed out of order: the scope that was begun inside it now lies in the one around it.
        for (var inner = Innermost; inner is not null; inner = inner.Outer)
            if (ReferenceEquals(inner.Outer, scope)) inner.Outer = scope.Outer;
    }
}

public static partial class torch
{
    /// <summary>Begins a scope that disposes, at its end, every tensor created in it that was not moved out.</summary>
    public static DisposeScope NewDisposeScope() => DisposeScopeManager.Current.Begin();

    public static DisposeScope? CurrentDisposeScope => DisposeScopeManager.Current.Innermost;

    /// <summary>Runs an expression in a scope of its own and moves its result out.</summary>
    public static Tensor WrappedTensorDisposeScope(Func<Tensor> expr)
    {
        using var scope = NewDisposeScope();
        return expr().MoveToOuterDisposeScope();
    }
}
