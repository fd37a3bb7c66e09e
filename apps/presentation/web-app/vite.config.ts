import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** While developing, the page comes from Vite and everything else from a running gateway, which expects its own origin. */
const gateway = process.env['JTS_GATEWAY_URL'] ?? 'http://127.0.0.1:8080'

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    reportCompressedSize: false,
    chunkSizeWarningLimit: 800,
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/api': { target: gateway, changeOrigin: true, ws: true, headers: { origin: gateway } } },
  },
})
