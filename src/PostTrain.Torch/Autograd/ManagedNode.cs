using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PostTrain.Torch.Interop;

/// <summary>A node of the autograd graph whose backward runs in C#: the managed half of <c>ManagedNode</c> in native/autograd.cpp.</summary>
internal sealed unsafe class ManagedNode
{
    internal delegate List<Tensor> ForwardPass(autograd.AutogradContext context, object[] arguments);

    [ThreadStatic] private static ExceptionDispatchInfo? backwardFailure;
    private static long liveCount;

    private readonly autograd.AutogradContext context;
    private readonly Func<autograd.AutogradContext, List<Tensor>, List<Tensor>> backward;
    private readonly int[] tensorArguments;

    private ManagedNode(autograd.AutogradContext context, Func<autograd.AutogradContext, List<Tensor>, List<Tensor>> backward, int[] tensorArguments)
    {
        this.context = context;
        this.backward = backward;
        this.tensorArguments = tensorArguments;
    }

    /// <summary>Nodes that a graph still holds.</summary>
    internal static long LiveCount => Interlocked.Read(ref liveCount);

    /// <summary>Runs forward without recording, then hangs its results under a new node of the graph.</summary>
    internal static List<Tensor> Apply(object[] arguments, ForwardPass forward, Func<autograd.AutogradContext, List<Tensor>, List<Tensor>> backward)
    {
        var context = new autograd.AutogradContext();
        int[] tensorArguments = [.. Enumerable.Range(0, arguments.Length).Where(i => arguments[i] is Tensor)];
        var state = GCHandle.Alloc(new ManagedNode(context, backward, tensorArguments));
        nint node = 0;
        try
        {
            var inputs = tensorArguments.Select(i => ((Tensor)arguments[i]).Handle).ToArray();
            fixed (nint* input = inputs) node = Native.pt_node_new(input, inputs.Length, GCHandle.ToIntPtr(state), &Backward, &Free);
            if (node != 0) Interlocked.Increment(ref liveCount);
            List<Tensor> outputs;
            using (no_grad()) outputs = forward(context, arguments);
            // A result that is an argument itself would close a cycle in the graph.
            for (int i = 0; i < outputs.Count; i++)
                if (tensorArguments.Any(a => ReferenceEquals(arguments[a], outputs[i])) && !context.Dirty.Any(d => ReferenceEquals(d, outputs[i])))
                    outputs[i] = outputs[i].alias();
            if (node != 0) Connect(node, context, outputs);
            return outputs;
        }
        finally
        {
            // The native node owns the state once it exists; its outputs keep the node alive.
            if (node == 0) state.Free();
            else Native.pt_node_free(node);
            GC.KeepAlive(arguments);
        }
    }

    /// <summary>After a backward pass: the exception that a managed backward threw, else libtorch's own.</summary>
    internal static void ThrowIfBackwardFailed(int result)
    {
        var failure = backwardFailure;
        backwardFailure = null;
        if (result >= 0) return;
        failure?.Throw();
        throw Native.Error();
    }

    private static void Connect(nint node, autograd.AutogradContext context, List<Tensor> outputs)
    {
        var handles = outputs.Select(output => output.Handle).ToArray();
        var kinds = outputs.Select(output => context.Dirty.Any(d => ReferenceEquals(d, output)) ? 2
            : context.NonDifferentiable.Any(d => ReferenceEquals(d, output)) || !output.is_floating_point() ? 0 : 1).ToArray();
        fixed (nint* handle = handles)
        fixed (int* kind = kinds)
            Native.Check(Native.pt_node_outputs(node, handle, kind, handles.Length));

        var saved = context.ToSave.Select(tensor => tensor?.Handle ?? 0).ToArray();
        var own = context.ToSave.Select(tensor => outputs.Any(output => ReferenceEquals(output, tensor)) ? 1 : 0).ToArray();
        fixed (nint* tensor = saved)
        fixed (int* output = own)
            Native.Check(Native.pt_node_save(node, tensor, output, saved.Length, context.MaterializeGrads ? 1 : 0));
        context.Follow(Native.pt_node_pointer(node), saved.Length);
        GC.KeepAlive(outputs);
    }

    [UnmanagedCallersOnly]
    private static int Backward(nint state, nint* outputGrads, int outputs, nint* inputGrads, int inputs)
    {
        try
        {
            using var scope = NewDisposeScope();
            var self = (ManagedNode)GCHandle.FromIntPtr(state).Target!;
            var grads = new List<Tensor>(outputs);
            for (int i = 0; i < outputs; i++) grads.Add(outputGrads[i] == 0 ? null! : new Tensor(Native.pt_tensor_alias(outputGrads[i])));
            var found = self.backward(self.context, grads);
            for (int i = 0; i < inputs; i++)
            {
                int argument = self.tensorArguments[i];
                if (argument >= found.Count)
                    throw new InvalidOperationException($"backward returned {found.Count} gradients, expected one for each argument of forward");
                if (found[argument] is { } gradient) inputGrads[i] = Native.pt_tensor_alias(gradient.Handle);
            }
            return 0;
        }
        catch (Exception exception)
        {
            backwardFailure ??= ExceptionDispatchInfo.Capture(exception);
            return 1;
        }
    }

    [UnmanagedCallersOnly]
    private static void Free(nint state)
    {
        var handle = GCHandle.FromIntPtr(state);
        ((ManagedNode)handle.Target!).context.Dispose();
        handle.Free();
        Interlocked.Decrement(ref liveCount);
    }
}
