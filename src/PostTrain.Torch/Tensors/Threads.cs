using System.Text;
using PostTrain.Torch.Interop;

namespace TorchSharp;

public static partial class torch
{
    public static unsafe string __version__
    {
        get
        {
            var buffer = stackalloc byte[64];
            return Encoding.UTF8.GetString(buffer, Native.pt_version(buffer, 64));
        }
    }

    public static int get_num_threads() => Native.pt_num_threads();

    public static void set_num_threads(int num)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(num, 1);
        Native.pt_set_num_threads(num);
    }

    public static int get_num_interop_threads() => Native.pt_num_interop_threads();
    public static void set_num_interop_threads(int num) => Native.Check(Native.pt_set_num_interop_threads(num));

    public static bool cuda_is_available() => Native.pt_has_cuda() != 0;

    public static class cuda
    {
        public static bool is_available() => cuda_is_available();
    }
}
