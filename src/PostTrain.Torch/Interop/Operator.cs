using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;

namespace PostTrain.Torch.Interop;

/// <summary>An operator of libtorch's dispatcher, by its schema name (<c>add.Tensor</c>); looked up at its first call.</summary>
/// <remarks>Trailing arguments that a call leaves out take the schema's defaults.</remarks>
internal sealed unsafe class Operator(string schema)
{
    private nint handle;

    /// <summary>Whether this libtorch has the operator.</summary>
    internal bool Exists => handle != 0 || TryResolve();

    /// <summary>Calls an operator with one tensor as its result.</summary>
    internal torch.Tensor Call(params ReadOnlySpan<Argument> arguments)
    {
        NativeValue result;
        Invoke(arguments, &result, 1);
        return new torch.Tensor(result.Pointer);
    }

    /// <summary>Calls an operator that changes its first argument in place, and returns that same object.</summary>
    internal torch.Tensor CallInPlace(params ReadOnlySpan<Argument> arguments)
    {
        NativeValue result;
        Invoke(arguments, &result, 1);
        Native.pt_tensor_free(result.Pointer);
        return (torch.Tensor)arguments[0].Reference!;
    }

    /// <summary>Calls an operator with two tensors as its result.</summary>
    internal (torch.Tensor, torch.Tensor) Call2(params ReadOnlySpan<Argument> arguments)
    {
        var results = stackalloc NativeValue[2];
        Invoke(arguments, results, 2);
        return (new torch.Tensor(results[0].Pointer), new torch.Tensor(results[1].Pointer));
    }

    /// <summary>Calls an operator with three tensors as its result.</summary>
    internal (torch.Tensor, torch.Tensor, torch.Tensor) Call3(params ReadOnlySpan<Argument> arguments)
    {
        var results = stackalloc NativeValue[3];
        Invoke(arguments, results, 3);
        return (new torch.Tensor(results[0].Pointer), new torch.Tensor(results[1].Pointer), new torch.Tensor(results[2].Pointer));
    }

    /// <summary>Calls an operator with a list of tensors as its result.</summary>
    internal torch.Tensor[] CallList(params ReadOnlySpan<Argument> arguments)
    {
        NativeValue result;
        Invoke(arguments, &result, 1);
        var handles = (nint*)result.Pointer;
        var tensors = new torch.Tensor[result.Length];
        for (int i = 0; i < tensors.Length; i++) tensors[i] = new torch.Tensor(handles[i]);
        Native.pt_handles_free(handles);
        return tensors;
    }

    /// <summary>Calls an operator whose result is no tensor, or none.</summary>
    internal NativeValue CallValue(params ReadOnlySpan<Argument> arguments)
    {
        NativeValue result;
        Invoke(arguments, &result, 1);
        return result;
    }

    /// <summary>Calls an operator that changes the tensors of its first argument, a list, and returns nothing.</summary>
    internal void CallOnList(params ReadOnlySpan<Argument> arguments) => Invoke(arguments, null, 0);

    private int Invoke(ReadOnlySpan<Argument> arguments, NativeValue* results, int capacity)
    {
        if (handle == 0) Resolve();
        var values = stackalloc NativeValue[arguments.Length];
        // Lists are copied beside the values, so that nothing managed needs pinning.
        long listItems = 0;
        foreach (ref readonly var argument in arguments)
            if (argument.Reference is Array array) listItems += argument.Tag == Tag.String ? (array.Length + 7) / 8 : array.Length;
        if (listItems > 512) return InvokeLarge(arguments, values, results, capacity, listItems);
        var items = stackalloc long[(int)listItems];
        return Invoke(arguments, values, results, capacity, items);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private int InvokeLarge(ReadOnlySpan<Argument> arguments, NativeValue* values, NativeValue* results, int capacity, long listItems)
    {
        var items = (long*)NativeMemory.Alloc((nuint)listItems, sizeof(long));
        try
        {
            return Invoke(arguments, values, results, capacity, items);
        }
        finally
        {
            NativeMemory.Free(items);
        }
    }

    private int Invoke(ReadOnlySpan<Argument> arguments, NativeValue* values, NativeValue* results, int capacity, long* items)
    {
        for (int i = 0; i < arguments.Length; i++)
        {
            ref readonly var argument = ref arguments[i];
            values[i].Tag = argument.Tag;
            values[i].Length = argument.Length;
            if (argument.Tag < Tag.IntList || argument.Tag >= Tag.Device)
                values[i].Integer = argument.Bits;
            else
                values[i].Pointer = (nint)Lay(argument, &values[i], ref items);
        }
        int count = Native.pt_call(handle, values, arguments.Length, results, capacity);
        if (count < 0) throw Native.Error();
        KeepAlive(arguments);
        return count;
    }

    private static void* Lay(in Argument argument, NativeValue* value, ref long* items)
    {
        var start = items;
        switch (argument.Reference)
        {
            case torch.Tensor?[] tensors:
                foreach (var tensor in tensors) *items++ = tensor is null ? 0 : tensor.Handle;
                return start;
            case long[] integers:
                foreach (var integer in integers) *items++ = integer;
                return start;
            case double[] numbers:
                foreach (var number in numbers) *items++ = BitConverter.DoubleToInt64Bits(number);
                return start;
            default:
                var bytes = (byte[])argument.Reference!;
                value->Length = bytes.Length;
                bytes.CopyTo(new Span<byte>(start, bytes.Length));
                items += (bytes.Length + 7) / 8;
                return start;
        }
    }

    // The arguments' tensors must outlive the native call even when the caller drops them at once.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void KeepAlive(ReadOnlySpan<Argument> arguments) => _ = arguments;

    private void Resolve()
    {
        if (!TryResolve()) throw new NotSupportedException($"This libtorch has no operator aten::{schema}: {Native.Error().Message}");
    }

    private bool TryResolve()
    {
        int dot = schema.IndexOf('.');
        var name = dot < 0 ? schema : schema[..dot];
        var overload = dot < 0 ? "" : schema[(dot + 1)..];
        handle = Native.pt_operator("aten::" + name, overload);
        return handle != 0;
    }
}
