namespace TorchSharp;

public static partial class torch
{
    public static partial class nn
    {
        /// <summary>A module on whose calls others can listen.</summary>
        public class HookableModule<TPreHook, TPostHook> : Module where TPreHook : notnull where TPostHook : notnull
        {
            protected Dictionary<string, TPreHook> pre_hooks = [];
            protected Dictionary<string, TPostHook> post_hooks = [];
            protected Dictionary<string, Action<Module>> module_pre_hooks = [];
            protected Dictionary<string, Action<Module>> module_post_hooks = [];
            private bool hooked;

            protected HookableModule(string name) : base(name) { }

            internal bool Hooked => hooked;

            /// <summary>The hook sees module, arguments and result after each call, and returns what takes the result's place (null: keep it).</summary>
            public HookRemover register_forward_hook(TPostHook hook) => Add(post_hooks, hook);

            public HookRemover register_forward_hook(Action<Module> hook) => Add(module_post_hooks, hook);

            /// <summary>The hook sees module and arguments before each call, and returns what takes the arguments' place (null: keep them).</summary>
            public HookRemover register_forward_pre_hook(TPreHook hook) => Add(pre_hooks, hook);

            public HookRemover register_forward_pre_hook(Action<Module> hook) => Add(module_pre_hooks, hook);

            internal void BeforeCall()
            {
                foreach (var hook in module_pre_hooks.Values.ToArray()) hook(this);
            }

            internal void AfterCall()
            {
                foreach (var hook in module_post_hooks.Values.ToArray()) hook(this);
            }

            private HookRemover Add<THook>(Dictionary<string, THook> hooks, THook hook)
            {
                var key = Guid.NewGuid().ToString();
                hooks.Add(key, hook);
                hooked = true;
                return new HookRemover(this, key);
            }

            private void Remove(string key)
            {
                _ = pre_hooks.Remove(key) || post_hooks.Remove(key) || module_pre_hooks.Remove(key) || module_post_hooks.Remove(key);
                hooked = pre_hooks.Count + post_hooks.Count + module_pre_hooks.Count + module_post_hooks.Count > 0;
            }

            /// <summary>Takes a hook out again.</summary>
            public class HookRemover(HookableModule<TPreHook, TPostHook> module, string key)
            {
                public void remove() => module.Remove(key);
            }
        }
    }
}
