using System.Runtime.InteropServices;

namespace PostTrain.Torch.Interop;

/// <summary>The native entry points of <c>libposttrain_torch.so</c>; see native/*.cpp.</summary>
internal static unsafe partial class Native
{
    private const string Library = "posttrain_torch";

    static Native() => Startup.Prepare();

    // Dispatch
    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)] internal static partial nint pt_operator(string name, string overload);
    [DllImport(Library)] internal static extern int pt_call(nint op, NativeValue* arguments, int count, NativeValue* results, int capacity);
    [DllImport(Library)] internal static extern void pt_handles_free(nint* handles);
    [DllImport(Library)] internal static extern byte* pt_last_error();

    // Tensors
    [DllImport(Library)] internal static extern void pt_tensor_free(nint tensor);
    [DllImport(Library)] internal static extern nint pt_tensor_alias(nint tensor);
    [DllImport(Library), SuppressGCTransition] internal static extern long pt_dim(nint tensor);
    [DllImport(Library), SuppressGCTransition] internal static extern long pt_numel(nint tensor);
    [DllImport(Library), SuppressGCTransition] internal static extern int pt_dtype(nint tensor);
    [DllImport(Library), SuppressGCTransition] internal static extern long pt_itemsize(nint tensor);
    [DllImport(Library), SuppressGCTransition] internal static extern long pt_storage_offset(nint tensor);
    [DllImport(Library), SuppressGCTransition] internal static extern int pt_device_type(nint tensor);
    [DllImport(Library), SuppressGCTransition] internal static extern int pt_device_index(nint tensor);
    [DllImport(Library), SuppressGCTransition] internal static extern int pt_is_contiguous(nint tensor);
    [DllImport(Library), SuppressGCTransition] internal static extern void pt_sizes(nint tensor, long* sizes);
    [DllImport(Library), SuppressGCTransition] internal static extern void pt_strides(nint tensor, long* strides);
    [DllImport(Library)] internal static extern nint pt_data(nint tensor);
    [DllImport(Library)] internal static extern int pt_requires_grad(nint tensor);
    [DllImport(Library)] internal static extern int pt_set_requires_grad(nint tensor, int value);
    [DllImport(Library)] internal static extern int pt_is_leaf(nint tensor);
    [DllImport(Library)] internal static extern nint pt_grad(nint tensor);
    [DllImport(Library)] internal static extern int pt_set_grad(nint tensor, nint grad);
    [DllImport(Library)] internal static extern int pt_retain_grad(nint tensor);

    // Autograd
    [DllImport(Library)] internal static extern int pt_backward(nint* tensors, int count, nint* grads, int gradCount, int retainGraph, int createGraph, nint* inputs, int inputCount);
    [DllImport(Library)] internal static extern int pt_autograd_grad(nint* outputs, int outputCount, nint* inputs, int inputCount, nint* grads, int gradCount, int retainGraph, int createGraph, int allowUnused, nint* results);
    [DllImport(Library), SuppressGCTransition] internal static extern int pt_grad_enabled();
    [DllImport(Library), SuppressGCTransition] internal static extern void pt_set_grad_enabled(int value);
    [DllImport(Library), SuppressGCTransition] internal static extern int pt_inference_enabled();
    [DllImport(Library)] internal static extern nint pt_inference_enter(int value);
    [DllImport(Library)] internal static extern void pt_inference_leave(nint guard);
    [DllImport(Library)] internal static extern nint pt_node_new(nint* inputs, int count, nint state, delegate* unmanaged<nint, nint*, int, nint*, int, int> backward, delegate* unmanaged<nint, void> free);
    [DllImport(Library)] internal static extern int pt_node_outputs(nint node, nint* outputs, int* differentiable, int count);
    [DllImport(Library)] internal static extern int pt_node_save(nint node, nint* tensors, int* outputs, int count, int materialize);
    [DllImport(Library)] internal static extern int pt_node_saved(nint node, nint* tensors, int count);
    [DllImport(Library)] internal static extern nint pt_node_pointer(nint node);
    [DllImport(Library)] internal static extern void pt_node_free(nint node);

    // Runtime
    [DllImport(Library)] internal static extern nint pt_generator_new(ulong seed);
    [DllImport(Library)] internal static extern nint pt_generator_default(int deviceType, int deviceIndex);
    [DllImport(Library)] internal static extern void pt_generator_free(nint generator);
    [DllImport(Library)] internal static extern int pt_generator_set_seed(nint generator, ulong seed);
    [DllImport(Library)] internal static extern ulong pt_generator_seed(nint generator);
    [DllImport(Library)] internal static extern ulong pt_generator_reseed(nint generator);
    [DllImport(Library)] internal static extern nint pt_generator_state(nint generator);
    [DllImport(Library)] internal static extern int pt_generator_set_state(nint generator, nint state);
    [DllImport(Library)] internal static extern int pt_manual_seed(ulong seed);
    [DllImport(Library)] internal static extern void pt_set_num_threads(int count);
    [DllImport(Library)] internal static extern int pt_num_threads();
    [DllImport(Library)] internal static extern int pt_num_interop_threads();
    [DllImport(Library)] internal static extern int pt_set_num_interop_threads(int count);
    [DllImport(Library)] internal static extern int pt_has_cuda();
    [DllImport(Library)] internal static extern int pt_default_dtype();
    [DllImport(Library)] internal static extern int pt_set_default_dtype(int type);
    [DllImport(Library)] internal static extern int pt_version(byte* buffer, int capacity);
    [DllImport(Library)] internal static extern int pt_blas(byte* buffer, int capacity);
    [DllImport(Library)] internal static extern int pt_config(byte* buffer, int capacity);

    /// <summary>The exception for the thread's last native error: libtorch's own message, without its C++ stack.</summary>
    internal static ExternalException Error()
    {
        var text = Marshal.PtrToStringUTF8((nint)pt_last_error()) ?? "unknown native error";
        return new ExternalException(text.TrimEnd());
    }

    /// <summary>Throws when <paramref name="result"/> says that the call failed.</summary>
    internal static void Check(int result)
    {
        if (result < 0) throw Error();
    }
}
